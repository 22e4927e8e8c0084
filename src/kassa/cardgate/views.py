"""The card gate's pages: pure functions of a session and a language."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from starlette.responses import Response

from kassa.cardgate import brands, texts
from kassa.cardgate.charge import Session
from kassa.cardgate.form import Fault, Field
from kassa.invoices.creating import options as gateway
from kassa.invoices.creating.options import CardGate
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.pages import leaving, outcome, stages
from kassa.pages.branding import branding
from kassa.pages.formatting import money
from kassa.pages.languages import translations
from kassa.pages.prices import converted_from, payable
from kassa.pages.reasons import reason
from kassa.pages.stages import Stage
from kassa.pages.templates import page
from kassa.values import Value

_ACCEPTED: Final = tuple(brand for brand in brands.BRANDS if brand.accepted)
_BRAND_TABLE: Final = [msgspec.to_builtins(brand) for brand in brands.BRANDS]


class TestCard(Value, frozen=True, kw_only=True):
    """A card of contract#test-cards that the page offers in test mode."""

    __test__: ClassVar = False
    number: str
    challenge: bool
    """Whether it needs 3-D Secure."""
    good: bool

    @property
    def grouped(self) -> str:
        """The number as it is written on a card."""
        return brands.grouped(self.number)


TEST_CARDS: Final = (
    TestCard(number="5123817234060000", challenge=True, good=True),
    TestCard(number="5519283812030000", challenge=False, good=True),
    TestCard(number="4412397212080000", challenge=True, good=False),
    TestCard(number="4302912837020000", challenge=False, good=False),
)


def stage(session: Session) -> Stage:
    """Return the session's stage."""
    return stages.stage(session.invoice, session.payment, now=session.now)


def options(session: Session) -> CardGate:
    """Return the merchant's card page options for this invoice."""
    return gateway.options(session.invoice.gateway_options)


def path(session: Session, site: str, end: str = "") -> str:
    """Return the path of a session's page under the gate's base URL."""
    return f"{urlsplit(site).path.rstrip('/')}/hpp/{session.invoice.session_id}{end}"


def card_page(
    session: Session,
    *,
    language: str,
    site: str,
    faults: Mapping[Field, Fault] | None = None,
    brand: brands.Brand | None = None,
) -> Response:
    """Return the card form; ``faults`` are shown, the submitted values never are."""
    catalog = translations(language)
    invoice = session.invoice
    lengths = options(session).number_lengths
    messages = texts.messages(dict(faults or {}), brand, catalog, lengths)
    return page(
        "card.html",
        language=language,
        site=site,
        status=422 if messages else 200,
        state=_state(session),
        test_mode=invoice.test_mode,
        test_cards=TEST_CARDS,
        **branding(session.invoice, session.account),
        description=invoice.description,
        reference=invoice.reference_id,
        **_amounts(session, language),
        action=path(session, site),
        attempt=invoice.attempts + 1,
        seconds_left=max(0, -int((session.now - invoice.expires_at).total_seconds() // 1)),
        expires=invoice.expires_at.isoformat(),
        accepted=_ACCEPTED,
        brand_table=_BRAND_TABLE,
        texts=texts.texts(catalog, lengths),
        lengths=lengths,
        faults=messages,
        verify=invoice.payment_flow == "verify",
        leave_link=leaving.off_the_form(invoice, session.account, language),
        **_decline(session, language, shown=not messages),
    )


def outcome_page(session: Session, *, language: str, site: str, stay: bool, note: str = "") -> Response:
    """Return the page of any stage but the form's. ``stay`` keeps the payer on it; ``note`` is one of ``leaving``'s."""
    current = stage(session)
    _ = translations(language).gettext
    onward = outcome.Link(url=path(session, site, "/3ds"), label=_("Continue to your bank"))
    return page(
        "outcome.html",
        language=language,
        site=site,
        state=_state(session),
        test_mode=session.invoice.test_mode,
        **branding(session.invoice, session.account),
        outcome=_outcome(session, current, language),
        poll=stages.unsettled(current, session.payment),
        stay=stay,
        onward=onward if current is Stage.CONFIRM else None,
        note=leaving.note(note, current, language),
        **_giving_up(session, current, language, site),
    )


def _giving_up(session: Session, current: Stage, language: str, site: str) -> dict[str, Any]:
    """Return the form to use another card, or until when a payer who cannot cancel has to wait."""
    if current is not Stage.CONFIRM:
        return {}
    invoice, payment = session.invoice, session.payment
    if not session.cancellable:
        return {"deadline": leaving.deadline(invoice, payment, language)}
    url = path(session, site, "/cancel")
    return {"give_up": leaving.give_up(invoice, payment, url, language=language, now=session.now)}


def leave_page(session: Session, url: str, *, language: str, site: str) -> Response:
    """Return the page that takes the payer to the merchant at once, for merchants who show the result themselves.

    It is a page, because the request before it was a form's, of ours or the bank's: a redirect to a third origin would
    be blocked by the policy of the form's page.
    """
    result = _outcome(session, stage(session), language)
    shown = branding(session.invoice, session.account)
    _ = translations(language).gettext
    return page(
        "forward.html",
        language=language,
        site=site,
        state=_state(session),
        test_mode=session.invoice.test_mode,
        heading=result.heading,
        text=result.text,
        label=_("Back to %(merchant)s") % shown,
        method="GET",
        action=url,
        params={},
        **shown,
    )


def forward_page(session: Session, *, language: str, site: str) -> Response:
    """Return the page that takes the payer to the bank's, by itself where it can, and by a link or button.

    A GET leaves by a refresh, because a redirect that follows the card form's POST would be blocked.
    """
    payment = session.payment
    if payment is None or payment.action is None:
        raise ValueError("This attempt leads nowhere.")
    _ = translations(language).gettext
    method = (payment.action_method or "GET").upper()
    params = payment.action_params or {}
    return page(
        "forward.html",
        language=language,
        site=site,
        form_targets=[payment.action] if method == "POST" else [],
        test_mode=session.invoice.test_mode,
        **branding(session.invoice, session.account),
        heading=_outcome(session, Stage.CONFIRM, language).heading,
        text=_("Taking you to your bank's page."),
        label=_("Continue to your bank"),
        method=method,
        action=_with_query(payment.action, params) if method == "GET" else payment.action,
        params=params,
    )


def _state(session: Session) -> str:
    """Return a value that changes whenever the page does."""
    payment, current = session.payment, stage(session)
    late = ".late" if stages.overdue(current, payment, now=session.now) else ""
    return (
        f"{current}.{session.invoice.status}.{session.invoice.attempts}.{payment.status if payment else 'none'}{late}"
    )


def _outcome(session: Session, current: Stage, language: str) -> outcome.Outcome:
    return outcome.describe(
        current,
        session.snapshot,
        session.account,
        now=session.now,
        language=language,
        card=_card_name(session.payment),
    )


def _card_name(payment: Payment | None) -> str:
    if payment is None or payment.card is None:
        return ""
    brand = next((each.name for each in brands.BRANDS if each.code == payment.card.brand), "")
    return f"{brand} •••• {payment.card.last}".strip()


def _amounts(session: Session, language: str) -> dict[str, Any]:
    invoice = session.invoice
    total = payable(invoice, language)
    with_fee = invoice.payment_amount != invoice.amount
    _ = translations(language).gettext
    pay = _("Check the card") if invoice.payment_flow == "verify" else _("Pay %(amount)s") % {"amount": total}
    return {
        "amount": total,
        "order_amount": money(invoice.amount, invoice.currency, language) if with_fee else None,
        "order_fee": money(invoice.payment_amount - invoice.amount, invoice.currency, language) if with_fee else None,
        "converted_from": converted_from(invoice, language),
        "button": pay,
    }


def _decline(session: Session, language: str, *, shown: bool) -> dict[str, str]:
    payment = session.payment
    if not shown or payment is None or payment.status is not PaymentStatus.PROCESS_FAILED:
        return {"decline": "", "attempts_left": ""}
    catalog = translations(language)
    left = session.invoice.attempts_left
    tries = catalog.ngettext("You can try once more.", "You can try %(count)s more times.", left)
    return {"decline": reason(payment.public_resolution, catalog.gettext), "attempts_left": tries % {"count": left}}


def _with_query(url: str, params: Mapping[str, str]) -> str:
    if not params:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(params)}"
