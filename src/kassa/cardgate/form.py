"""The submitted card form: read leniently, checked strictly. Nothing of it is kept or sent back."""

import re
import unicodedata
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from kassa.cardgate import brands
from kassa.errors import BadRequest
from kassa.invoices.rules.attempt import CardFacts
from kassa.providers.protocol import Card
from kassa.values import Value

BODY_MAX: Final = 16 * 1024
"""Bytes; an honest form has a few hundred."""

_FIELDS_MAX: Final = 20
_SEPARATORS: Final = re.compile(r"[\s.\u2010-\u2015-]+")
_EXPIRY: Final = re.compile(r"([0-9]{1,2})\s*[/\-. ]\s*([0-9]{4}|[0-9]{2})|(0?[1-9]|[0-9]{2})([0-9]{4}|[0-9]{2})")
_EXPIRY_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_MONTHS: Final = 12
_YEARS_AHEAD_MAX: Final = 20
_LAST_TIME_ZONE: Final = timedelta(hours=12)
_CODE_LENGTHS: Final = (3, 4)


class Field(StrEnum):
    """The fields that a payer fills in; the values are the names on the page."""

    NUMBER = "card_number"
    EXPIRY = "expiry"
    CODE = "cvc"


class Fault(StrEnum):
    """What can be wrong with a field."""

    MISSING = "missing"
    WRONG = "wrong"
    MONTH = "month"
    """No month has this number."""
    PAST = "past"
    FAR = "far"
    UNACCEPTED = "unaccepted"
    LENGTH = "length"
    """The merchant only takes numbers of other lengths."""


class Entry(Value, frozen=True, kw_only=True):
    """The submitted values, as text."""

    attempt: int
    """The number of the attempt that the form was rendered for; 0 where it has none."""
    number: str
    expiry: str
    code: str

    def __repr__(self) -> str:
        return "Entry(…)"

    __str__ = __repr__


def read(body: bytes) -> Entry:
    """Return the values of an urlencoded form. Raises ``BadRequest`` for what is not one, or repeats a field.

    Parsed here, in memory: a general form parser would spool a large part to disk (P10).
    """
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise BadRequest from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRequest
    attempt = fields.get("number", "")
    return Entry(
        attempt=int(attempt) if re.fullmatch(r"[0-9]{1,4}", attempt) else 0,
        number=plain_number(fields.get(Field.NUMBER, "")),
        expiry=_plain(fields.get(Field.EXPIRY, "")),
        code=_plain(fields.get(Field.CODE, "")),
    )


def check(entry: Entry, *, now: datetime, test_mode: bool, lengths: Collection[int] = ()) -> Card | dict[Field, Fault]:
    """Return the card, or all faults of the form.

    In test mode no date is refused as past or far (contract#card-gate): there the expiry date selects the outcome.
    ``lengths`` are the numbers of digits that the merchant takes; empty for all.
    """
    brand = brands.find(entry.number)
    month, year = _expiry(entry.expiry)
    faults = {
        Field.NUMBER: number_fault(entry.number, brand, lengths),
        Field.EXPIRY: expiry_fault(month, year, now=now, test_mode=test_mode) if entry.expiry else Fault.MISSING,
        Field.CODE: code_fault(entry.code, brand),
    }
    found = {field: fault for field, fault in faults.items() if fault is not None}
    if found:
        return found
    return Card(number=entry.number, expiry_month=month, expiry_year=year, cvv=entry.code)


def same_card(entry: Entry, card: CardFacts) -> bool:
    """Return whether a form has the same card, by its mask and expiry date.

    Not by the fingerprint: with the page's address and the mask, the digits between could be found by trying them.
    """
    return (entry.number[:6], entry.number[-4:], len(entry.number), *_expiry(entry.expiry)) == (
        card.first,
        card.last,
        card.length,
        card.expiry_month,
        card.expiry_year,
    )


def plain_number(text: str) -> str:
    """Return a card number without separators."""
    return _SEPARATORS.sub("", _plain(text))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def number_fault(number: str, brand: brands.Brand | None, lengths: Collection[int]) -> Fault | None:
    """Return what is wrong with a card number."""
    if not number:
        return Fault.MISSING
    if brand is not None and not brand.accepted:
        return Fault.UNACCEPTED
    if not re.fullmatch(r"[0-9]+", number) or not brands.NUMBER_MIN <= len(number) <= brands.NUMBER_MAX:
        return Fault.WRONG
    if (brand is not None and len(number) not in brand.lengths) or not brands.luhn(number):
        return Fault.WRONG
    return Fault.LENGTH if lengths and len(number) not in lengths else None


def _expiry(text: str) -> tuple[int, int]:
    """Return month and four-digit year, (0, 0) for anything else: ``5/29``, ``05 / 2029``, ``0529``, ``2029-05``."""
    if match := _EXPIRY_ISO.fullmatch(text):
        return int(match[2]), int(match[1])
    match = _EXPIRY.fullmatch(text)
    if match is None:
        return 0, 0
    return int(match[1] or match[3]), full_year(int(match[2] or match[4]))


def full_year(year: int) -> int:
    """Return a four-digit year; two digits are of this century."""
    return year + 2000 if year < 100 else year  # noqa: PLR2004 - what two digits can say


def expiry_fault(month: int, year: int, *, now: datetime, test_mode: bool) -> Fault | None:
    """Return what is wrong with a month and a four-digit year."""
    if not 2000 <= year <= 9998:  # noqa: PLR2004 - what a date can hold
        return Fault.WRONG
    if not 1 <= month <= _MONTHS:
        return Fault.MONTH
    if test_mode:
        return None
    # Good through the last moment of its month, in the last time zone: the payer gets the benefit of the doubt.
    ends_at = datetime(year + month // _MONTHS, month % _MONTHS + 1, 1, tzinfo=UTC) + _LAST_TIME_ZONE
    if now >= ends_at:
        return Fault.PAST
    return Fault.FAR if year > now.year + _YEARS_AHEAD_MAX else None


def code_fault(code: str, brand: brands.Brand | None) -> Fault | None:
    """Return what is wrong with a security code."""
    if not code:
        return Fault.MISSING
    lengths = (brand.code_length,) if brand else _CODE_LENGTHS
    return None if re.fullmatch(r"[0-9]+", code) and len(code) in lengths else Fault.WRONG
