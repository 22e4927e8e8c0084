"""The Central Bank of Russia: what so many units of each currency are in roubles, from ``XML_daily.asp``.

https://www.cbr.ru/development/sxml/
"""

from kassa.rates.model import Quote, Source
from kassa.rates.sources import reading


def read(body: bytes) -> list[Quote]:
    """Return the day's rates. Raises ``RatesUnreadable``."""
    root = reading.xml(body)
    rates = {
        (each.findtext("CharCode", ""), "RUB"): reading.number(each.findtext("Value"))
        / reading.number(each.findtext("Nominal"))
        for each in root.findall("Valute")
    }
    return reading.quotes(Source.CBR, reading.day(root.get("Date"), "%d.%m.%Y"), rates)
