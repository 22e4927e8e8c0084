"""Card issuers: the bank and country behind a number's first digits, from a small table beside this module."""

import csv
from functools import cache
from pathlib import Path
from typing import Final

from kassa.values import Value

FILE: Final = Path(__file__).with_name("issuers.csv")
_FIRST_LENGTHS: Final = (8, 6)


class Issuer(Value, frozen=True, kw_only=True):
    """The issuer of a card."""

    name: str
    country: str
    """ISO 3166-1, two letters."""


def find(number: str) -> Issuer | None:
    """Return the issuer of a card, or None where the table does not know it; the longest prefix wins."""
    return next((issuer for length in _FIRST_LENGTHS if (issuer := _table().get(number[:length]))), None)


@cache
def _table() -> dict[str, Issuer]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return {row["first"]: Issuer(name=row["name"], country=row["country"]) for row in csv.DictReader(file)}
