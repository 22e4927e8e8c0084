"""Money: whole minor units of a currency inside Kassa, exact decimals on the wire (contract#formats).

Exponents come from ISO 4217 (JPY 0, USD 2, KWD 3); XTS, the code reserved for tests, has none there and gets 2.
Currencies that ISO 4217 does not list count once the process has learned them from the catalogue.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from iso4217 import Currency

from kassa.errors import AmountRefused, Message, UnknownCurrency

AMOUNT_MAX: Final = 10**15
"""The largest amount in minor units, exclusive: far below what a bigint and every JSON reader hold exactly."""

EXPONENT_MAX: Final = 12
"""The most decimals that a currency can have here: with more, the books could not hold a thousand of it."""

_MAGNITUDE_MAX: Final = 30

_ISO: Final[Mapping[str, int]] = {each.code: each.exponent or 0 for each in Currency} | {"XTS": 2}
_exponents: dict[str, int] = dict(_ISO)


def exponent(currency: str) -> int:
    """Return how many decimals a currency has.

    Raises ``UnknownCurrency`` for a code that neither ISO 4217 nor the catalogue lists.
    """
    try:
        return _exponents[currency]
    except KeyError:
        raise UnknownCurrency(f"{currency!r} is not a currency.") from None


def is_currency(code: str) -> bool:
    """Return whether a code is a currency that amounts can be counted in."""
    return code in _exponents


def is_iso(currency: str) -> bool:
    """Return whether ISO 4217 lists a currency."""
    return currency in _ISO


def learn(exponents: Mapping[str, int]) -> None:
    """Count with the catalogue's currencies from now on.

    An exponent never changes, because amounts are kept in minor units. So what is learned also holds where a later
    edition of ISO 4217 would say otherwise.
    """
    _exponents.update(exponents)


def to_minor(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units: ``Decimal("123.45")`` in USD is 12345, and ``100.000`` is 10000.

    Raises ``AmountRefused`` for what cannot be paid: no number, zero or less, more decimals than the currency has,
    or more than the books hold.
    """
    if not amount.is_finite():
        raise AmountRefused(Message("This value should be a number."))
    if amount <= 0:
        raise AmountRefused(Message("This value should be greater than 0."))
    if amount.adjusted() > _MAGNITUDE_MAX:
        raise AmountRefused(Message("This value is too large."))
    places = exponent(currency)
    if amount.adjusted() < -places:
        raise AmountRefused(_too_fine(currency, places))
    # Integers, because decimal arithmetic rounds to 28 digits and would let 1.00…001 pass as 1.
    numerator, denominator = amount.as_integer_ratio()
    factor: int = 10**places
    minor, rest = divmod(numerator * factor, denominator)
    if rest:
        raise AmountRefused(_too_fine(currency, places))
    if minor >= AMOUNT_MAX:
        raise AmountRefused(Message("This value is too large."))
    return minor


def to_text(minor: int, currency: str) -> str:
    """Return minor units as the shortest exact decimal: 12345 in USD is ``123.45``, 10000 is ``100``."""
    places = exponent(currency)
    sign = "-" if minor < 0 else ""
    whole, fraction = divmod(abs(minor), 10**places)
    decimals = str(fraction).rjust(places, "0").rstrip("0") if fraction else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def to_fixed(minor: int, currency: str) -> str:
    """Return minor units with all of the currency's decimals: 10000 in USD is ``100.00``, 0 in JPY is ``0``."""
    return f"{to_decimal(minor, currency):f}"


def to_decimal(minor: int, currency: str) -> Decimal:
    """Return minor units as an exact decimal, for formatting by locale."""
    return Decimal(minor).scaleb(-exponent(currency))


def _too_fine(currency: str, places: int) -> Message:
    return Message(
        "This value should have no more than %(places)s decimals in %(currency)s.", places=places, currency=currency
    )
