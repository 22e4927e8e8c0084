"""What the merchant pays for an invoice: the account's tariff for the service, applied to an amount (CONTRACT §9)."""

from decimal import ROUND_HALF_EVEN, Decimal

from kassa.providers.protocol import Value


class Tariff(Value, frozen=True, kw_only=True):
    """Rate in percent; the rest in minor units of the invoice's currency, where 0 means no bound."""

    fee_rate: Decimal = Decimal(0)
    fee_fix: int = 0
    fee_min: int = 0
    fee_max: int = 0


def fee(amount: int, tariff: Tariff) -> int:
    """Return the fee in minor units: rate and fixed part, rounded half-even, held between the bounds and the amount."""
    exact = Decimal(amount) * tariff.fee_rate / 100 + tariff.fee_fix
    rounded = int(exact.to_integral_value(ROUND_HALF_EVEN))
    raised = max(rounded, tariff.fee_min)
    capped = min(raised, tariff.fee_max) if tariff.fee_max else raised
    return min(capped, amount)
