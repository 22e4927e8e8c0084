"""Leaving a payment that waits for its payer: giving it up for another card, and what the payer is shown before."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from kassa.accounts.model import Account
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import CHALLENGE_LIMIT, Invoice
from kassa.pages import return_links
from kassa.pages.branding import merchant_name
from kassa.pages.formatting import moment
from kassa.pages.languages import translations
from kassa.pages.outcome import Link
from kassa.pages.stages import Stage
from kassa.values import Value

_PLACE: Final = "{time}"


class Note(StrEnum):
    """What a payer is shown who did something else than the page expects; the value of ``note`` in its address."""

    OTHER_CARD = "other-card"
    """They entered another card while the first one's payment was open."""
    STILL_OPEN = "still-open"
    """They gave the payment up, and the provider has not closed it."""


class Deadline(Value, frozen=True, kw_only=True):
    """A sentence with a moment in it, which the page's script shows in the payer's own time."""

    before: str
    at: str
    shown: str
    after: str


def note(wanted: str, current: Stage, language: str) -> str:
    """Return the sentence for a ``note``, while it is true; empty otherwise."""
    _ = translations(language).gettext
    if current not in {Stage.CONFIRM, Stage.PENDING}:
        return ""
    match wanted:
        case Note.OTHER_CARD:
            return _("The card you have just entered was not charged: another payment for this order is still open.")
        case Note.STILL_OPEN:
            return _("This payment could not be cancelled yet, so it may still go through. Try again in a moment.")
        case _:
            return ""


def give_up(invoice: Invoice, payment: Payment | None, url: str, *, language: str, now: datetime) -> Link | None:
    """Return the form that cancels a cancellable attempt, by POST to ``url``."""
    if payment is None:
        return None
    _ = translations(language).gettext
    again = invoice.session_id is not None and invoice.attempts_left > 0 and now < invoice.expires_at
    label = _("Use another card") if again else _("Cancel the payment")
    return Link(url=url, label=label, fields={"number": str(payment.attempt_number)})


def off_the_form(invoice: Invoice, account: Account, language: str) -> Link | None:
    """Return the link that leaves the card page. It ends nothing: the invoice can be paid until it expires."""
    url = return_links.leave_url(invoice, account)
    if url is None:
        return None
    _ = translations(language).gettext
    host = return_links.foreign_host(url, invoice, account)
    if host is not None:
        return Link(url=url, label=_("Continue to %(host)s") % {"host": host})
    return Link(url=url, label=_("Cancel and return to %(merchant)s") % {"merchant": merchant_name(invoice, account)})


def deadline(invoice: Invoice, payment: Payment | None, language: str) -> Deadline | None:
    """Return until when the payer of a payment that cannot be cancelled has to wait."""
    if payment is None:
        return None
    challenge_until = payment.created_at + CHALLENGE_LIMIT
    at = min(invoice.expires_at, challenge_until) if payment.card else invoice.expires_at
    text = translations(language).gettext("If you cannot confirm, wait until %(time)s, or order again.")
    before, _, after = (text % {"time": _PLACE}).partition(_PLACE)
    return Deadline(before=before, at=at.isoformat(), shown=moment(at, language), after=after)
