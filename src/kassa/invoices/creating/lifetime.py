"""How long an invoice can be paid: as request, from 14 minutes to 2 days, or as the account has it.

See contract#private-api.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from kassa.accounts.model import Account
from kassa.errors import Message
from kassa.invoices.creating.request import CreateInvoice
from kassa.invoices.rules.invoice import LIFETIME_MAX, LIFETIME_MIN

_LEEWAY: Final = timedelta(seconds=10)
"""A client that asks for exactly 14 minutes or 2 days must not fail over a slow network or a clock a bit off."""


def ends_at(request: CreateInvoice, account: Account, errors: dict[str, str], now: datetime) -> datetime:
    """Return when the invoice expires; what is wrong with the moment that was asked for is added to ``errors``."""
    default = now + timedelta(minutes=account.lifetime_minutes)
    if request.expires is None or "expires" in errors:
        return default
    asked_for = moment(request.expires)
    if asked_for is None:
        errors["expires"] = Message("This value is not a valid datetime.")
        return default
    if not now + LIFETIME_MIN - _LEEWAY <= asked_for <= now + LIFETIME_MAX + _LEEWAY:
        errors["expires"] = Message("This value should be between 14 minutes and 2 days from now.")
    return asked_for


def moment(text: int | str) -> datetime | None:
    """Return a moment written as unix seconds or in ISO 8601 (UTC where it names no zone), or None."""
    try:
        if isinstance(text, int) or (text.isascii() and text.isdigit()):
            return datetime.fromtimestamp(int(text), UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
