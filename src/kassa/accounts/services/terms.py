"""On what terms an account has a service, read from the text that an operator writes them in. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from kassa import money
from kassa.accounts.model import AccountService
from kassa.errors import AmountRefused, Invalid
from kassa.values import Value

RATE_DECIMALS_MAX: Final = 4
LIFETIME_MAX: Final = 366 * 24 * 60
"""Minutes: a year."""

_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)


class Terms(Value, frozen=True, kw_only=True):
    """Limits, fees and reserve of one service. Amounts are minor units of its currency, rates are percent."""

    amount_min: int
    amount_max: int
    fee_rate: Decimal
    fee_fix: int
    fee_min: int
    """0 is no bound, here and in ``fee_max``."""
    fee_max: int
    reserve_rate: Decimal
    reserve_lifetime: int
    """Minutes."""
    refund_fee_fix: int
    """For each refund that is done."""
    charge_back_fee_fix: int
    """For each charge-back."""


def apply(service: AccountService, texts: Mapping[str, str], limits: tuple[int, int]) -> Terms:
    """Return the service's terms with those set that ``texts`` names; amounts in them are decimals of its currency.

    ``limits`` are the least and the most that the catalogue's service takes: an account's lie within.
    Raises ``Invalid`` naming each text that cannot be, and limits that leave nothing between them.
    """
    terms = Terms(**{name: getattr(service, name) for name in Terms.__struct_fields__})
    values: dict[str, Decimal | int] = {}
    errors: dict[str, str] = {}
    for name, text in texts.items():
        try:
            values[name] = _READERS[name](text.strip(), service.currency)
        except ValueError as error:
            errors[name] = str(error)
    terms = msgspec.structs.replace(terms, **values)
    errors = _contradictions(terms, service.currency, limits) | errors
    if errors:
        raise Invalid(errors)
    return terms


def _contradictions(terms: Terms, currency: str, limits: tuple[int, int]) -> dict[str, str]:
    errors: dict[str, str] = {}
    least, most = limits
    if terms.amount_min < least:
        errors["amount_min"] = f"This service takes {money.to_text(least, currency)} {currency} or more."
    if terms.amount_max > most:
        errors["amount_max"] = f"This service takes {money.to_text(most, currency)} {currency} or less."
    if terms.amount_min > terms.amount_max:
        errors["amount_min"] = "This value should not be greater than amount_max."
    if terms.fee_max and terms.fee_min > terms.fee_max:
        errors["fee_min"] = "This value should not be greater than fee_max."
    return errors


def _amount(text: str, currency: str) -> int:
    number = _number(text)
    if not number:
        return 0
    try:
        return money.to_minor(number, currency)
    except AmountRefused as error:
        raise ValueError(error.detail) from None


def _rate(text: str, _currency: str) -> Decimal:
    number = _number(text)
    exponent = number.normalize().as_tuple().exponent
    if number > 100 or int(exponent) < -RATE_DECIMALS_MAX:  # noqa: PLR2004 - percent
        raise ValueError(f"This value should be from 0 to 100, with no more than {RATE_DECIMALS_MAX} decimals.")
    return number


def _minutes(text: str, _currency: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > LIFETIME_MAX:
        raise ValueError(f"This value should be a whole number of minutes from 0 to {LIFETIME_MAX}.")
    return int(text)


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError("This value should be a number, such as 2.5.")
    return Decimal(text)


_READERS: Final[Mapping[str, Callable[[str, str], Decimal | int]]] = {
    "amount_min": _amount,
    "amount_max": _amount,
    "fee_rate": _rate,
    "fee_fix": _amount,
    "fee_min": _amount,
    "fee_max": _amount,
    "reserve_rate": _rate,
    "reserve_lifetime": _minutes,
    "refund_fee_fix": _amount,
    "charge_back_fee_fix": _amount,
}
"""How each term's text is read; a reader says what is wrong by ``ValueError``."""
