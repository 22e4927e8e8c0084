"""What a payment costs, who bears it and what is held back of it: the account's terms for the service.

See contract#amounts.
"""

from decimal import Decimal
from fractions import Fraction

from kassa.values import Value


class Tariff(Value, frozen=True, kw_only=True):
    """Rate in percent; the rest in minor units of the invoice's currency, where 0 means no bound."""

    fee_rate: Decimal = Decimal(0)
    fee_fix: int = 0
    fee_min: int = 0
    fee_max: int = 0


class Parts(Value, frozen=True, kw_only=True):
    """What an amount comes to, in minor units: ``payment_amount = fee + deposit``, always."""

    payment_amount: int
    """What the payer pays."""
    fee: int
    deposit: int
    """What the merchant gets."""


def fee(amount: int, tariff: Tariff) -> int:
    """Return the fee in minor units: rate and fixed part, rounded half-even, held between the bounds and the amount.

    First it is raised to ``fee_min``, then it is cut to ``fee_max``, then to the amount: so the upper bounds win.
    """
    # Exact, because decimal arithmetic rounds to 28 digits before it is rounded here.
    exact = Fraction(amount) * Fraction(tariff.fee_rate) / 100 + tariff.fee_fix
    raised = max(round(exact), tariff.fee_min)
    capped = min(raised, tariff.fee_max) if tariff.fee_max else raised
    return min(capped, amount)


def parts(amount: int, tariff: Tariff, *, payer_pays: bool) -> Parts:
    """Return what an amount comes to: the fee is taken from it, or comes on top of it where the payer pays it."""
    charged = fee(amount, tariff)
    if payer_pays:
        return Parts(payment_amount=amount + charged, fee=charged, deposit=amount)
    return Parts(payment_amount=amount, fee=charged, deposit=amount - charged)


def reserve(amount: int, deposit: int, *, rate: Decimal) -> int:
    """Return what is held back of a payment, in minor units: ``rate`` percent of its amount, rounded half-even.

    Never more than the deposit: what the merchant does not get cannot be held back.
    """
    return min(round(Fraction(amount) * Fraction(rate) / 100), deposit)
