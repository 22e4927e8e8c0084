"""Common to the readers of all sources: numbers, days, currencies, and safe XML."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from kassa import money
from kassa.errors import RatesUnreadable
from kassa.rates.model import BANKS, Quote, Source

_NUMBER: Final = re.compile(r"[0-9]{1,12}(?:[.,][0-9]{1,12})?", re.ASCII)


def number(text: str | None) -> Decimal:
    """Return a number above zero, written with a point or a comma. Raises ``RatesUnreadable``."""
    plain = (text or "").strip()
    found = Decimal(plain.replace(",", ".")) if _NUMBER.fullmatch(plain) else Decimal(0)
    if not found:
        raise RatesUnreadable(f"This is no rate: {plain[:40]!r}.")
    return found


def day(text: str | None, pattern: str) -> datetime:
    """Return the beginning of a day, in UTC. Raises ``RatesUnreadable``."""
    try:
        return datetime.strptime(text or "", pattern).replace(tzinfo=UTC)
    except ValueError:
        raise RatesUnreadable(f"This is no day: {(text or '')[:40]!r}.") from None


def xml(body: bytes) -> Element:
    """Return a document's root, read without entities, declarations of types or anything from elsewhere.

    Raises ``RatesUnreadable``.
    """
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise RatesUnreadable("This is not XML, or not XML that is read here.") from None
    return root


def quotes(source: Source, valid_from: datetime, rates: dict[tuple[str, str], Decimal]) -> list[Quote]:
    """Return a bank's rates by base and quote, those in currencies that Kassa supports. Raises ``RatesUnreadable``."""
    found = [
        Quote(source=source, base=base, quote=quote, rate=rate, valid_from=valid_from)
        for (base, quote), rate in rates.items()
        if base != quote and money.is_currency(base) and money.is_currency(quote)
    ]
    if not found:
        raise RatesUnreadable(f"There is no rate to {BANKS[source]}.")
    return found
