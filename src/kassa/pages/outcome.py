"""What every page but the card form shows: a heading, a sentence, the facts, and a link."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode, urlsplit

from kassa.accounts.model import Account
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.records import RefundStatus
from kassa.invoices.rules.snapshot import Snapshot
from kassa.pages.branding import merchant_name
from kassa.pages.formatting import moment
from kassa.pages.languages import translations
from kassa.pages.prices import converted_from, payable
from kassa.pages.reasons import Gettext, cause, reason, wallet_reason
from kassa.pages.return_links import foreign_host, home, return_url
from kassa.pages.stages import Stage, overdue
from kassa.values import Value

Tone = Literal["good", "bad", "wait"]
Sign = Literal["tick", "mark", "clock", "spinner", "back"]
"""The picture above the heading. Only the spinner moves, and only while an answer is pending."""

RETURN_AFTER_SECONDS = 10

_GOING_BACK = {RefundStatus.REFUND_PENDING, RefundStatus.REFUNDED}
_STUCK = {RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR}
_SIGNS: dict[Tone, Sign] = {"good": "tick", "bad": "mark", "wait": "clock"}
_MOVED = {Stage.PAID, Stage.RETURNED}


class Link(Value, frozen=True, kw_only=True):
    """A link, or a form that is posted."""

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
    sign: Sign
    heading: str
    text: str
    amount: str = ""
    """The headline under the heading, where money has moved."""
    facts: tuple[Fact, ...] = ()
    link: Link | None = None
    returning: tuple[str, ...] = ()
    """Where the page follows ``link`` by itself: its text for each number of seconds left, from 0."""


def provider_link(payment: Payment, label: str) -> Link | None:
    """Return the link to the provider's page that an attempt waits on, or None where it has none."""
    if payment.action is None:
        return None
    params = payment.action_params or {}
    if payment.action_method == "POST":
        return Link(url=payment.action, label=label, fields=params)
    joint = "&" if urlsplit(payment.action).query else "?"
    return Link(url=f"{payment.action}{joint}{urlencode(params)}" if params else payment.action, label=label)


def describe(
    current: Stage,
    snapshot: Snapshot,
    account: Account,
    *,
    now: datetime,
    language: str,
    card: str = "",
    service: str = "",
) -> Outcome:
    """Return what the page of a stage shows.

    ``card`` is the card's display name, for the payer who entered it; ``service`` is the payment service's.
    """
    invoice, payment = snapshot.invoice, snapshot.payment
    gettext = translations(language).gettext
    name = merchant_name(invoice, account)
    tone, heading, text = _texts(current, snapshot, gettext)
    back = return_url(invoice, account, current)
    url = back or home(account)
    if overdue(current, payment, now=now):
        text = gettext(
            "This is taking longer than usual. Please don't pay again. "
            "You can close this page: %(merchant)s will let you know."
        )
    foreign = foreign_host(url, invoice, account) if url else None
    amount = _amount(current, invoice)
    return Outcome(
        tone=tone,
        sign=_sign(current, tone),
        heading=heading,
        text=text % {"merchant": name, "service": service or gettext("the payment service")},
        amount=payable(invoice, language, amount) if current in _MOVED and not _checked(invoice) else "",
        facts=_facts(current, invoice, amount, card, gettext, language),
        link=Link(url=url, label=_label(foreign, name, gettext)) if url else None,
        returning=_returning(language) if back and foreign is None and current is Stage.PAID else (),
    )


def _returning(language: str) -> tuple[str, ...]:
    ngettext = translations(language).ngettext
    return tuple(
        ngettext("Taking you back in %(count)s second.", "Taking you back in %(count)s seconds.", seconds)
        % {"count": seconds}
        for seconds in range(RETURN_AFTER_SECONDS + 1)
    )


def _sign(current: Stage, tone: Tone) -> Sign:
    match current:
        case Stage.PENDING:
            return "spinner"
        case Stage.RETURNED:
            return "back"
        case _:
            return _SIGNS[tone]


def _amount(current: Stage, invoice: Invoice) -> int:
    taken = invoice.processed_amount if current is Stage.PAID else None
    return taken or invoice.payment_amount


def _checked(invoice: Invoice) -> bool:
    """Return whether the card is only verified, and no money taken."""
    return invoice.payment_flow == "verify"


def _label(foreign: str | None, name: str, _: Gettext) -> str:
    if foreign is not None:
        return _("Continue to %(host)s") % {"host": foreign}
    return _("Back to %(merchant)s") % {"merchant": name}


def _texts(current: Stage, snapshot: Snapshot, _: Gettext) -> tuple[Tone, str, str]:
    invoice = snapshot.invoice
    match current:
        case Stage.PAYABLE:
            return "wait", _("Not paid yet"), _("This order is waiting for payment.")
        case Stage.CONFIRM | Stage.PENDING:
            return "wait", *_waiting_texts(current, invoice, _)
        case Stage.REVIEW:
            return (
                "wait",
                _("The payment is being checked"),
                _("We're reviewing your payment. Please don't pay again."),
            )
        case Stage.PAID if _checked(invoice):
            return "good", _("Card verified"), _("Your card has been checked. No money was taken.")
        case Stage.PAID:
            return "good", _("Payment received"), _("Thank you. We've let %(merchant)s know.")
        case Stage.RETURNED:
            return "wait", _("Payment returned"), _("The money for this order has been returned to you.")
        case Stage.FAILED if _checked(invoice):
            return "bad", _("The card could not be verified"), _failure(snapshot, _)
        case Stage.FAILED:
            return "bad", _("Payment failed"), _failure(snapshot, _)
        case Stage.EXPIRED:
            return "bad", _("This payment has expired"), _expiry(snapshot, _)


def _waiting_texts(current: Stage, invoice: Invoice, _: Gettext) -> tuple[str, str]:
    by_card = invoice.session_id is not None
    if current is Stage.CONFIRM and by_card:
        return (
            _("Confirm with your bank"),
            _("Your bank asks you to confirm this payment. If you've just done so, this page will update by itself."),
        )
    if current is Stage.CONFIRM:
        return (
            _("Finish your payment"),
            _("Your payment is waiting at %(service)s. If you've just paid there, this page will update by itself."),
        )
    return (
        _("Waiting for your bank") if by_card else _("Waiting for the payment service"),
        _("This usually takes a few seconds. Please don't pay again: this page will update by itself."),
    )


def _failure(snapshot: Snapshot, _: Gettext) -> str:
    invoice, payment = snapshot.invoice, snapshot.payment
    back = snapshot.gone_back(payment)
    if back is not None and back.status in _GOING_BACK:
        return _("The shop didn't accept this payment. Your money is on its way back to you.")
    if back is not None and back.status in _STUCK:
        return _("The shop didn't accept this payment, and we couldn't return it yet. Please contact the shop.")
    resolution = payment.public_resolution if payment else invoice.resolution
    if invoice.session_id is None:
        again = _("Go back to the shop to order again.")
        return f"{wallet_reason(resolution, _)} {again}"
    if invoice.attempts_left > 0:
        return reason(resolution, _)
    over = _("You have no attempts left. Go back to the shop to order again.")
    return f"{cause(resolution, _)} {over}"


def _expiry(snapshot: Snapshot, _: Gettext) -> str:
    payment = snapshot.payment
    back = snapshot.gone_back(payment)
    if payment is not None and payment.live:
        return _("Time ran out while your bank was deciding. If it takes the money, the shop will be notified.")
    if back is not None and back.status in _STUCK:
        return _("The payment came too late for this order, and we couldn't return it yet. Please contact the shop.")
    if payment is not None and back is not None and back.status in _GOING_BACK:
        if payment.card is None:
            return _("The payment came too late for this order. Your money is on its way back to you.")
        return _("Your bank approved the payment too late for this order. Your money is on its way back to your card.")
    return _("You weren't charged. Go back to the shop to order again.")


def _facts(current: Stage, invoice: Invoice, amount: int, card: str, _: Gettext, language: str) -> tuple[Fact, ...]:
    facts = []
    if current not in _MOVED or _checked(invoice):
        facts.append(Fact(label=_("Amount"), value=payable(invoice, language, amount)))
    if (price := converted_from(invoice, language, amount)) is not None:
        facts.append(Fact(label=_("Converted from"), value=price))
    if card:
        facts.append(Fact(label=_("Card"), value=card))
    if invoice.description:
        facts.append(Fact(label=_("For"), value=invoice.description))
    facts.append(Fact(label=_("Reference"), value=invoice.reference_id))
    if current is Stage.PAID:
        at = invoice.processed_at or invoice.updated_at
        facts.append(Fact(label=_("Time"), value=moment(at, language), at=at.isoformat()))
        facts.append(Fact(label=_("Payment ID"), value=invoice.invoice_id))
    return tuple(facts)
