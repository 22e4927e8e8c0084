"""What changes exchange rates; every change takes effect within a second (``directory.KEPT_SECONDS``)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from kassa import money
from kassa.config import Settings
from kassa.db.pool import Executor, Pool, transaction, unit_of_work
from kassa.errors import Invalid, NotFound, RatesUnreadable
from kassa.outbound import Outbound
from kassa.rates import queries
from kassa.rates.model import Quote, Source
from kassa.rates.sources import cbr, ecb, nbu

ANSWER_SECONDS: Final = 20.0
"""How long a bank may take to answer."""

READERS: Final[Mapping[Source, Callable[[bytes], list[Quote]]]] = {
    Source.ECB: ecb.read,
    Source.NBU: nbu.read,
    Source.CBR: cbr.read,
}
"""The reader of each bank's answer."""


async def load_bundled(executor: Executor, *, now: datetime) -> None:
    """Write the ECB's rates that are bundled with Kassa, so that test mode converts without a network."""
    await queries.save(executor, ecb.bundled(), now=now)


async def update(pool: Pool, outbound: Outbound, settings: Settings, source: Source, *, now: datetime) -> list[Quote]:
    """Fetch a bank's rates and write them.

    Raises ``RatesUnreadable``, or the request's error; then nothing is written and the last rates stay valid.
    """
    answer = await outbound.request(
        "GET", _address(settings, source), headers={}, body=b"", timeout_seconds=ANSWER_SECONDS, guarded=False
    )
    if answer.status != HTTPStatus.OK:
        raise RatesUnreadable(f"The answer was {answer.status}.")
    quotes = READERS[source](answer.body)
    await queries.save(pool, quotes, now=now)
    return quotes


@unit_of_work
async def add(
    pool: Pool, *, base: str, quote: str, rate: Decimal, valid_until: datetime | None, now: datetime
) -> Quote:
    """Set a manual rate for a pair, in one direction, in place of the one before it.

    Raises ``Invalid`` for unknown or equal currencies, for a rate that is not positive and for an end in the past.
    """
    named = {"FROM": base, "TO": quote}
    errors = {name: "This is not a currency." for name, code in named.items() if not money.is_currency(code)}
    if base == quote:
        errors["TO"] = "This value should be another currency."
    if not rate.is_finite() or rate <= 0:
        errors["RATE"] = "This value should be greater than 0."
    if valid_until is not None and valid_until <= now:
        errors["--until"] = "This value should lie ahead."
    if errors:
        raise Invalid(errors)
    made = Quote(source=Source.MANUAL, base=base, quote=quote, rate=rate, valid_from=now, valid_until=valid_until)
    async with transaction(pool) as connection:
        await queries.end_manual(connection, base=base, quote=quote, now=now)
        await queries.save(connection, [made], now=now)
    return made


async def remove(pool: Pool, *, base: str, quote: str, now: datetime) -> None:
    """End a pair's manual rate, so that banks' rates count again. Raises ``NotFound`` where there is none."""
    if not await queries.end_manual(pool, base=base, quote=quote, now=now):
        raise NotFound(f"There is no manual rate from {base} to {quote}.")


def _address(settings: Settings, source: Source) -> str:
    return {
        Source.ECB: settings.rates_ecb_url,
        Source.NBU: settings.rates_nbu_url,
        Source.CBR: settings.rates_cbr_url,
    }[source]
