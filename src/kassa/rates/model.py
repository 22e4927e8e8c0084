"""Exchange rates: the sources' quotes, which of them count, and converting an amount. Pure.

A rate is how much of ``quote`` one unit of ``base`` is. All arithmetic is exact; it is rounded once, at the end.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_UP, Context, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from kassa.money import exponent
from kassa.values import Value

DIGITS: Final = 12
"""Significant digits of an effective rate: more than any source publishes, and exact in every JSON reader."""

_ROUNDED_UP: Final = Context(prec=DIGITS, rounding=ROUND_UP)


class Source(StrEnum):
    """The sources of rates."""

    MANUAL = "manual"
    """The operator, for one pair and direction."""
    ECB = "ecb"
    """The European Central Bank, in euros."""
    NBU = "nbu"
    """The National Bank of Ukraine, in hryvnias."""
    CBR = "cbr"
    """The Central Bank of Russia, in roubles."""


BANKS: Final[Mapping[Source, str]] = {Source.ECB: "EUR", Source.NBU: "UAH", Source.CBR: "RUB"}
"""Every bank with its own currency, through which its other rates cross, in order of preference."""


class Quote(Value, frozen=True, kw_only=True):
    """One rate as its source publishes it: one unit of ``base`` is ``rate`` of ``quote``."""

    source: Source
    base: str
    quote: str
    rate: Decimal
    valid_from: datetime
    """A bank's day, or the moment when a manual rate was set."""
    valid_until: datetime | None = None
    """Exclusive; None where it is open: then a bank's rate ages, and a manual one stays."""


class Table(Value, frozen=True, kw_only=True):
    """The rates that count at a moment."""

    manual: Mapping[tuple[str, str], Fraction]
    banks: Mapping[Source, Mapping[str, Fraction]]
    """What one unit of each currency is worth in the bank's own."""

    def middle(self, base: str, quote: str) -> Fraction | None:
        """Return the rate without a spread, or None where there is none.

        A manual rate comes first; then a bank for its own currency; then a bank with both, the ECB before others.
        """
        if (base, quote) in self.manual:
            return self.manual[base, quote]
        for source in sorted(BANKS, key=lambda each: BANKS[each] not in (base, quote)):
            worth = self.banks.get(source, {})
            if base in worth and quote in worth:
                return worth[base] / worth[quote]
        return None


def table(quotes: Iterable[Quote], *, now: datetime, days_max: Mapping[Source, int] | None) -> Table:
    """Return the rates of ``quotes`` that count at ``now``.

    ``days_max`` is how old each bank's rates may be; None takes them at any age, as test mode does.
    """
    manual: dict[tuple[str, str], Fraction] = {}
    banks: dict[Source, dict[str, Fraction]] = {}
    for each in quotes:
        if each.source is Source.MANUAL:
            if each.valid_until is None or now < each.valid_until:
                manual[each.base, each.quote] = Fraction(each.rate)
        elif days_max is None or now < each.valid_from + timedelta(days=days_max[each.source]):
            own = BANKS[each.source]
            worth = banks.setdefault(each.source, {own: Fraction(1)})
            if each.quote == own:
                worth[each.base] = Fraction(each.rate)
            elif each.base == own:
                worth[each.quote] = 1 / Fraction(each.rate)
    return Table(manual=manual, banks=banks)


def effective(middle: Fraction, spread: Decimal) -> Decimal:
    """Return the rate that the payer pays: ``spread`` percent above the middle rate.

    Rounded up to 12 significant digits, so spread and rounding are both in the merchant's favour.
    """
    exact = middle * (1 + Fraction(spread) / 100)
    return _ROUNDED_UP.divide(Decimal(exact.numerator), Decimal(exact.denominator)).normalize()


def convert(minor: int, rate: Decimal | Fraction, base: str, quote: str) -> int:
    """Convert minor units of ``base`` to minor units of ``quote``, rounding half to even."""
    if base == quote:
        return minor
    return round(Fraction(minor) * Fraction(rate) * Fraction(10) ** (exponent(quote) - exponent(base)))


def to_text(rate: Decimal) -> str:
    """Return a rate as the shortest exact decimal: ``1.0820`` is ``1.082``, ``1E+2`` is ``100``."""
    return f"{rate.normalize():f}"
