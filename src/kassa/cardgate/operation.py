"""A sale operation of a merchant's server: read leniently, checked as a card form is, never printed (P10)."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, Final

from msgspec import Meta

from kassa.cardgate import brands, form
from kassa.cardgate.form import Fault
from kassa.errors import Invalid
from kassa.jsonapi import fields
from kassa.providers.protocol import Card
from kassa.values import Value

Text = Annotated[str, Meta(min_length=1, max_length=64)]
Holder = Annotated[str, Meta(max_length=100)]

_DIGITS: Final = re.compile(r"\d(?:\W?\d){11}")
"""At least as many digits as a card number has."""
_MONTH: Final = re.compile(r"[0-9]{1,2}")
_YEAR: Final = re.compile(r"[0-9]{2}|[0-9]{4}")
_NO_DATE: Final = 0


class Sale(Value, frozen=True, kw_only=True):
    """The attributes of ``sale-operation``. Numbers may be sent as such or as text; others are ignored."""

    REQUIRED: ClassVar = frozenset({"card_number", "cvv", "exp_month", "exp_year"})

    card_number: Text | None = None
    card_holder: Holder | None = None
    """As written on the card; optional."""
    cvv: Text | None = None
    exp_month: Text | None = None
    exp_year: Text | None = None
    """Two or four digits."""
    browser_info: dict[str, Any] | None = None
    """The payer's browser, for 3-D Secure; ``browser_ip`` is the payer's address."""

    def __repr__(self) -> str:
        return "Sale(…)"

    __str__ = __repr__

    @property
    def payer_ip(self) -> str | None:
        """The payer's address as the merchant sent it, or None."""
        address = (self.browser_info or {}).get("browser_ip")
        try:
            return str(ip_address(address)) if isinstance(address, str) else None
        except ValueError:
            return None


def read(attributes: Mapping[str, Any], errors: dict[str, str]) -> Sale:
    """Return the attributes; what cannot be read is added to ``errors``, without repeating any of it."""
    return fields.read(Sale, attributes, errors)


def check(sale: Sale, errors: dict[str, str], *, now: datetime, test_mode: bool, lengths: Collection[int]) -> Card:
    """Return the card. Raises ``Invalid`` with all that is wrong, including ``errors``."""
    number, code = form.plain_number(sale.card_number or ""), (sale.cvv or "").strip()
    brand = brands.find(number)
    month, year = _date(sale)
    found = {
        "card_number": _number_error(form.number_fault(number, brand, lengths), brand, lengths),
        "card_holder": _holder_error(sale.card_holder),
        "cvv": _code_error(form.code_fault(code, brand), brand),
        **_date_errors(month, year, now=now, test_mode=test_mode),
    }
    errors.update((name, text) for name, text in found.items() if text is not None and name not in errors)
    if errors:
        raise Invalid(errors)
    return Card(number=number, expiry_month=month, expiry_year=year, cvv=code, holder=sale.card_holder or None)


def _date(sale: Sale) -> tuple[int, int]:
    month, year = (sale.exp_month or "").strip(), (sale.exp_year or "").strip()
    return (
        int(month) if _MONTH.fullmatch(month) else _NO_DATE,
        form.full_year(int(year)) if _YEAR.fullmatch(year) else _NO_DATE,
    )


def _number_error(fault: Fault | None, brand: brands.Brand | None, lengths: Collection[int]) -> str | None:
    match fault:
        case None:
            return None
        case Fault.MISSING:
            return fields.BLANK
        case Fault.UNACCEPTED if brand is not None:
            return f"{brand.name} cards are not accepted."
        case Fault.LENGTH:
            return f"This value should have {', '.join(str(length) for length in lengths)} digits."
        case _:
            return "This value is not a valid card number."


def _holder_error(holder: str | None) -> str | None:
    """Refuse a name that contains a card number: names are kept, and numbers must not be."""
    if _DIGITS.search(unicodedata.normalize("NFKC", holder or "")):
        return "This value should not hold a card number."
    return None


def _code_error(fault: Fault | None, brand: brands.Brand | None) -> str | None:
    if fault is None:
        return None
    if fault is Fault.MISSING:
        return fields.BLANK
    return f"This value should have {brand.code_length if brand else '3 or 4'} digits."


def _date_errors(month: int, year: int, *, now: datetime, test_mode: bool) -> dict[str, str | None]:
    good_month = form.expiry_fault(month, now.year, now=now, test_mode=True) is None
    good_year = form.expiry_fault(1, year, now=now, test_mode=True) is None
    found: dict[str, str | None] = {
        "exp_month": None if good_month else "This value should be between 1 and 12.",
        "exp_year": None if good_year else "This value should be a year of two or four digits.",
    }
    if good_month and good_year:
        match form.expiry_fault(month, year, now=now, test_mode=test_mode):
            case Fault.PAST:
                found["exp_year"] = "This card has expired."
            case Fault.FAR:
                found["exp_year"] = "This year is too far ahead."
    return found
