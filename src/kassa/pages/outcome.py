"""What every page but the card form says: a heading, a sentence, the facts, and the way on."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlencode, urlsplit

from kassa.accounts.model import Account
from kassa.invoices.model import Invoice
from kassa.pages.languages import translations
from kassa.pages.look import merchant
from kassa.pages.prices import converted_from, payable
from kassa.pages.reasons import Gettext, cause, reason, wallet_reason
from kassa.pages.stages import Stage
from kassa.pages.way_back import foreign_host, home, way_back
from kassa.pages.wording import moment
from kassa.payments.model import Payment, PaymentStatus
from kassa.providers.protocol import Value

Tone = Literal["good", "bad", "wait"]

RETURN_AFTER_SECONDS = 5

_GOING_BACK = {PaymentStatus.REFUND_PENDING, PaymentStatus.REFUNDED}
_STUCK = {PaymentStatus.REFUND_FAILED, PaymentStatus.REFUND_ERROR}


class Way(Value, frozen=True, kw_only=True):
    """A link that leads on, or a form that does."""

    url: str
    label: str
    fields: Mapping[str, str] | None = None
    """What a form posts; None for a link."""


class Fact(Value, frozen=True, kw_only=True):
    """One line of the receipt."""

    label: str
    value: str
    at: str | None = None
    """For a moment: the same in ISO 8601."""


class Outcome(Value, frozen=True, kw_only=True):
    """One page of this kind."""

    tone: Tone
    heading: str
    text: str
    facts: tuple[Fact, ...] = ()
    way: Way | None = None
    return_after: int | None = None
    """Seconds until the payer is taken along the way by itself."""


def provider_way(payment: Payment, label: str) -> Way | None:
    """Return the way to the provider's page that an attempt waits on, or None where it has none."""
    if payment.action is None:
        return None
    params = payment.action_params or {}
    if payment.action_method == "POST":
        return Way(url=payment.action, label=label, fields=params)
    joint = "&" if urlsplit(payment.action).query else "?"
    return Way(url=f"{payment.action}{joint}{urlencode(params)}" if params else payment.action, label=label)


def told(
    current: Stage,
    invoice: Invoice,
    payment: Payment | None,
    account: Account,
    *,
    language: str,
    with_card: bool = False,
) -> Outcome:
    """Return what the page of a stage says. ``with_card`` shows the card's last digits: only to who entered them."""
    gettext = translations(language).gettext
    tone, heading, text = _words(current, invoice, payment, gettext)
    back = way_back(invoice, account, current)
    url = back or home(account)
    foreign = foreign_host(url, invoice, account) if url else None
    return Outcome(
        tone=tone,
        heading=heading,
        text=text,
        facts=_facts(current, invoice, payment if with_card else None, gettext, language),
        way=Way(url=url, label=_label(foreign, merchant(invoice, account), gettext)) if url else None,
        return_after=RETURN_AFTER_SECONDS if back and foreign is None and current is Stage.PAID else None,
    )


def _label(foreign: str | None, name: str, _: Gettext) -> str:
    if foreign is not None:
        return _("Leave for %(host)s") % {"host": foreign}
    return _("Back to %(merchant)s") % {"merchant": name}


def _words(current: Stage, invoice: Invoice, payment: Payment | None, _: Gettext) -> tuple[Tone, str, str]:
    match current:
        case Stage.PAYABLE:
            return "wait", _("Not paid yet"), _("This order is waiting for its payment.")
        case Stage.CONFIRM | Stage.PENDING:
            return "wait", *_waiting(current, invoice, _)
        case Stage.REVIEW:
            return (
                "wait",
                _("The payment is being checked"),
                _("Your bank has answered, and a person is looking at it. Do not pay again."),
            )
        case Stage.PAID if invoice.payment_flow == "verify":
            return "good", _("Card verified"), _("Your card has been checked. No money was taken.")
        case Stage.PAID:
            return "good", _("Payment received"), _("Thank you. The shop is being told.")
        case Stage.RETURNED:
            return "wait", _("Payment returned"), _("The money for this order has been returned to you.")
        case Stage.FAILED if invoice.payment_flow == "verify":
            return "bad", _("The card could not be verified"), _failure(invoice, payment, _)
        case Stage.FAILED:
            return "bad", _("Payment failed"), _failure(invoice, payment, _)
        case Stage.EXPIRED:
            return "bad", _("Time is up"), _expiry(payment, _)


def _waiting(current: Stage, invoice: Invoice, _: Gettext) -> tuple[str, str]:
    by_card = invoice.session_id is not None
    if current is Stage.CONFIRM and by_card:
        return (
            _("Confirm with your bank"),
            _("Your bank asks you to confirm this payment. If you have just done so, this page updates by itself."),
        )
    if current is Stage.CONFIRM:
        return (
            _("Finish your payment"),
            _("It waits for you at the payment service. If you have just paid there, this page updates by itself."),
        )
    return (
        _("Waiting for your bank") if by_card else _("Waiting for the payment service"),
        _("This usually takes a few seconds. Do not pay again: this page updates by itself."),
    )


def _failure(invoice: Invoice, payment: Payment | None, _: Gettext) -> str:
    if payment is not None and payment.status in _GOING_BACK:
        return _("The shop did not accept this payment. The money goes back to you.")
    if payment is not None and payment.status in _STUCK:
        return _("The shop did not accept this payment, and giving it back has not worked yet. Please ask the shop.")
    resolution = payment.told_resolution if payment else invoice.resolution
    if invoice.session_id is None:
        again = _("Go back to the shop to order again.")
        return f"{wallet_reason(resolution, _)} {again}"
    if invoice.attempts_left > 0:
        return reason(resolution, _)
    over = _("There are no attempts left. Go back to the shop to order again.")
    return f"{cause(resolution, _)} {over}"


def _expiry(payment: Payment | None, _: Gettext) -> str:
    if payment is not None and payment.live:
        return _("The time ran out while your bank was deciding. If it takes the money, the shop will be told.")
    if payment is not None and payment.status in _STUCK:
        return _(
            "The payment came too late for this order, and giving it back has not worked yet. Please ask the shop."
        )
    if payment is not None and payment.status in _GOING_BACK:
        if payment.card is None:
            return _("The payment came too late for this order. The money goes back to you.")
        return _("Your bank said yes too late for this order. The money goes back to your card.")
    return _("The time to pay for this order is over. No money was taken. Go back to the shop to order again.")


def _facts(current: Stage, invoice: Invoice, payment: Payment | None, _: Gettext, language: str) -> tuple[Fact, ...]:
    amount = invoice.processed_amount if current is Stage.PAID and invoice.processed_amount else invoice.payment_amount
    facts = [Fact(label=_("Amount"), value=payable(invoice, language, amount))]
    if (price := converted_from(invoice, language, amount)) is not None:
        facts.append(Fact(label=_("Converted from"), value=price))
    if payment is not None and payment.card is not None:
        facts.append(Fact(label=_("Card"), value=f"•••• {payment.card.last}"))
    if invoice.description:
        facts.append(Fact(label=_("For"), value=invoice.description))
    facts.append(Fact(label=_("Order"), value=invoice.reference_id))
    if current is Stage.PAID:
        at = invoice.processed_at or invoice.updated_at
        facts.append(Fact(label=_("Time"), value=moment(at, language), at=at.isoformat()))
        facts.append(Fact(label=_("Payment"), value=invoice.invoice_id))
    return tuple(facts)
