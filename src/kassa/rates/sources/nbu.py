"""The National Bank of Ukraine: what each currency is in hryvnias, from ``exchange?json``.

https://bank.gov.ua/en/open-data/api-dev
"""

from decimal import Decimal
from typing import Final

import msgspec

from kassa.errors import RatesUnreadable
from kassa.rates.model import Quote, Source
from kassa.rates.sources import reading
from kassa.values import Value


class _Row(Value, frozen=True, kw_only=True):
    cc: str
    rate: Decimal
    exchangedate: str
    """``24.11.2026``."""


_rows: Final = msgspec.json.Decoder(list[_Row])


def read(body: bytes) -> list[Quote]:
    """Return the day's rates. Raises ``RatesUnreadable``."""
    try:
        rows = _rows.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RatesUnreadable from None
    days = {row.exchangedate for row in rows}
    if len(days) != 1:
        raise RatesUnreadable("These are not the rates of one day.")
    rates = {(row.cc, "UAH"): reading.number(str(row.rate)) for row in rows}
    return reading.quotes(Source.NBU, reading.day(days.pop(), "%d.%m.%Y"), rates)
