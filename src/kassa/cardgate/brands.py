"""Card brands: their number ranges, how a number is grouped, and the name of the security code.

The page's script uses the same table. Ranges follow the schemes' published IINs.
"""

from itertools import pairwise
from typing import Final

from kassa.values import Value

NUMBER_MIN: Final = 12
NUMBER_MAX: Final = 19
"""ISO/IEC 7812-1: no card number is longer."""


class Brand(Value, frozen=True, kw_only=True):
    """One brand."""

    code: str
    name: str
    ranges: tuple[tuple[str, str], ...]
    """First and last of the leading digits, both of one length."""
    lengths: tuple[int, ...]
    gaps: tuple[int, ...] = (4, 8, 12, 16)
    """After how many digits the card has a space."""
    code_name: str = "CVC"
    code_length: int = 3
    accepted: bool = True


BRANDS: Final = (
    Brand(code="visa", name="Visa", ranges=(("4", "4"),), lengths=(13, 16, 18, 19), code_name="CVV"),
    Brand(code="mastercard", name="Mastercard", ranges=(("51", "55"), ("2221", "2720")), lengths=(16,)),
    Brand(
        code="amex",
        name="American Express",
        ranges=(("34", "34"), ("37", "37")),
        lengths=(15,),
        gaps=(4, 10),
        code_name="CID",
        code_length=4,
    ),
    Brand(
        code="unionpay",
        name="UnionPay",
        ranges=(("62", "62"), ("81", "81")),
        lengths=(14, 15, 16, 17, 18, 19),
        code_name="CVN",
    ),
    Brand(
        code="jcb",
        name="JCB",
        ranges=(("3528", "3589"), ("2131", "2131"), ("1800", "1800")),
        lengths=(15, 16, 17, 18, 19),
        code_name="CVV",
    ),
    Brand(
        code="discover",
        name="Discover",
        ranges=(("6011", "6011"), ("644", "649"), ("65", "65")),
        lengths=(16, 19),
        code_name="CID",
    ),
    Brand(
        code="diners",
        name="Diners Club",
        ranges=(("300", "305"), ("3095", "3095"), ("36", "36"), ("38", "39")),
        lengths=(14, 15, 16, 17, 18, 19),
        gaps=(4, 10),
        code_name="CVV",
    ),
    Brand(
        code="maestro",
        name="Maestro",
        ranges=(("50", "50"), ("56", "58"), ("63", "63"), ("67", "67")),
        lengths=(12, 13, 14, 15, 16, 17, 18, 19),
    ),
    Brand(
        code="mir",
        name="Mir",
        ranges=(("2200", "2204"),),
        lengths=(16, 17, 18, 19),
        code_name="CVP2",
        accepted=False,
    ),
)


def find(number: str) -> Brand | None:
    """Return the brand whose range the first digits of a number fall in, or None."""
    for brand in BRANDS:
        if any(low <= number[: len(low)] <= high for low, high in brand.ranges if len(number) >= len(low)):
            return brand
    return None


def luhn(number: str) -> bool:
    """Return whether a number of ASCII digits has the right check digit (ISO/IEC 7812-1, annex B)."""
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + sum(doubled[digit] for digit in digits[1::2])) % 10 == 0


def grouped(number: str) -> str:
    """Return a number with spaces as its brand writes it."""
    brand = find(number)
    cuts = (0, *(brand.gaps if brand else (4, 8, 12, 16)), len(number))
    return " ".join(part for low, high in pairwise(cuts) if (part := number[low:high]))
