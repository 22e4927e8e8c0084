"""Rates are asked of banks over real HTTP, written whole or not at all, and count as long as they are fresh."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from kassa import config
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db.pool import Pool
from kassa.errors import AnswerTooLarge, ConnectionFailed, Invalid, KassaError, NotFound, RatesUnreadable
from kassa.outbound import Outbound
from kassa.rates import operations, queries
from kassa.rates.directory import Rates
from kassa.rates.model import Quote, Source
from tests.support import rates
from tests.support.postgres import Database
from tests.support.rates import FakeBanks

DAY = datetime(2026, 11, 24, tzinfo=UTC)
NOW = DAY + timedelta(hours=16)


class At(Clock):
    """A clock that does not move, in both modes."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self.moment = moment

    def now(self, *, test_mode: bool) -> datetime:
        return self.moment


@pytest.fixture
async def banks() -> AsyncIterator[FakeBanks]:
    async with rates.serving(
        ecb=rates.ecb({"USD": "1.25", "GBP": "0.8"}),
        nbu=rates.nbu({"USD": "41.25", "EUR": "51.5"}),
        cbr=rates.cbr({"USD": (1, "80,5"), "JPY": (100, "51,52")}),
    ) as banks:
        yield banks


def settings(banks: FakeBanks) -> Settings:
    return config.load(banks.environment)


async def update(pool: Pool, banks: FakeBanks, source: Source, now: datetime = NOW) -> list[Quote]:
    async with Outbound(settings(banks)) as outbound:
        return await operations.update(pool, outbound, settings(banks), source, now=now)


async def rate(
    pool: Pool, base: str, quote: str, *, now: datetime = NOW, test_mode: bool = False, days: int = 7
) -> Decimal | None:
    found = Rates(pool, At(now), Settings(rates_ecb_days=days))
    return await found.rate(base, quote, spread=Decimal(0), test_mode=test_mode)


async def rows(pool: Pool) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await pool.fetch("SELECT * FROM exchange_rates ORDER BY 1, 2, 3, 4")]


async def test_every_bank_is_fetched_from_its_address_and_its_rates_count(database: Database, banks: FakeBanks) -> None:
    for source in operations.READERS:
        await update(database.pool, banks, source)
    assert banks.requested == ["ecb", "nbu", "cbr"]
    pairs = {("EUR", "USD"): "1.25", ("USD", "GBP"): "0.64", ("USD", "UAH"): "41.25", ("JPY", "RUB"): "0.5152"}
    assert {pair: str(await rate(database.pool, *pair)) for pair in pairs} == pairs


async def test_a_later_day_takes_the_place_of_the_one_before(database: Database, banks: FakeBanks) -> None:
    await update(database.pool, banks, Source.ECB)
    banks.answers["ecb"] = rates.ecb({"USD": "1.5"}, (DAY + timedelta(days=1)).date())
    await update(database.pool, banks, Source.ECB)
    assert await rate(database.pool, "EUR", "USD") == Decimal("1.5")
    # What the bank no longer publishes is not of that day.
    assert await rate(database.pool, "EUR", "GBP") is None
    assert len(await rows(database.pool)) == 3


async def test_fetching_twice_changes_nothing_and_a_correction_is_taken(database: Database, banks: FakeBanks) -> None:
    await update(database.pool, banks, Source.ECB)
    once = await rows(database.pool)
    await update(database.pool, banks, Source.ECB, now=NOW + timedelta(hours=1))
    assert await rows(database.pool) == once
    banks.answers["ecb"] = rates.ecb({"USD": "1.26", "GBP": "0.8"})
    await update(database.pool, banks, Source.ECB)
    assert await rate(database.pool, "EUR", "USD") == Decimal("1.26")
    assert len(await rows(database.pool)) == len(once)


@pytest.mark.parametrize(
    "answer,error",
    [
        (500, RatesUnreadable),
        (302, RatesUnreadable),
        (b"<html>maintenance</html>", RatesUnreadable),
        (rates.ecb({"USD": "1.3", "GBP": "much"}), RatesUnreadable),
        (b" " * 70_000, AnswerTooLarge),
    ],
)
async def test_a_bad_answer_leaves_the_last_rates(
    database: Database, banks: FakeBanks, answer: bytes | int, error: type[KassaError]
) -> None:
    await update(database.pool, banks, Source.ECB)
    before = await rows(database.pool)
    banks.answers["ecb"] = answer
    with pytest.raises(error):
        await update(database.pool, banks, Source.ECB)
    assert await rows(database.pool) == before


async def test_a_bank_that_is_away_leaves_the_last_rates(database: Database) -> None:
    nowhere = Settings(rates_cbr_url="http://127.0.0.1:9/")
    async with Outbound(nowhere) as outbound:
        with pytest.raises(ConnectionFailed):
            await operations.update(database.pool, outbound, nowhere, Source.CBR, now=NOW)
    assert await rows(database.pool) == []


async def test_an_old_rate_counts_in_test_mode_alone(database: Database, banks: FakeBanks) -> None:
    await update(database.pool, banks, Source.ECB)
    late = DAY + timedelta(days=7)
    assert await rate(database.pool, "EUR", "USD", now=late - timedelta(seconds=1)) == Decimal("1.25")
    assert await rate(database.pool, "EUR", "USD", now=late) is None
    assert await rate(database.pool, "EUR", "USD", now=late, days=8) == Decimal("1.25")
    assert await rate(database.pool, "EUR", "USD", now=late, test_mode=True) == Decimal("1.25")


async def test_what_comes_along_is_there_for_test_mode_and_is_written_once(database: Database) -> None:
    await operations.load_bundled(database.pool, now=NOW)
    before = await rows(database.pool)
    await operations.load_bundled(database.pool, now=NOW + timedelta(days=1))
    assert await rows(database.pool) == before
    assert await rate(database.pool, "USD", "JPY", test_mode=True) is not None
    assert await rate(database.pool, "USD", "JPY", now=NOW + timedelta(days=400)) is None


async def test_a_newer_kassa_does_not_put_older_rates_in_the_place_of_newer_ones(
    database: Database, banks: FakeBanks
) -> None:
    later = (DAY + timedelta(days=400)).date()
    banks.answers["ecb"] = rates.ecb({"USD": "1.5"}, later)
    await update(database.pool, banks, Source.ECB)
    await operations.load_bundled(database.pool, now=NOW)
    assert await rate(database.pool, "EUR", "USD") == Decimal("1.5")


async def test_a_manual_rate_goes_first_until_it_is_replaced_ends_or_is_removed(
    database: Database, banks: FakeBanks
) -> None:
    pool = database.pool
    await update(pool, banks, Source.NBU)
    await rates.set_rate(pool, "USD", "UAH", "44", now=NOW)
    assert await rate(pool, "USD", "UAH") == 44
    assert await rate(pool, "UAH", "USD") != 1 / Decimal(44)
    until = NOW + timedelta(hours=2)
    await rates.set_rate(pool, "USD", "UAH", "45.5", until=until, now=NOW + timedelta(hours=1))
    assert await rate(pool, "USD", "UAH", now=NOW + timedelta(hours=1)) == Decimal("45.5")
    assert await rate(pool, "USD", "UAH", now=until) == Decimal("41.25")
    await rates.set_rate(pool, "USD", "UAH", "46", now=until)
    await operations.remove(pool, base="USD", quote="UAH", now=until)
    assert await rate(pool, "USD", "UAH", now=until) == Decimal("41.25")
    with pytest.raises(NotFound):
        await operations.remove(pool, base="USD", quote="UAH", now=until)


@pytest.mark.parametrize(
    "pair,value,until,names",
    [
        (("USD", "USD"), "1", None, {"TO"}),
        (("usd", "ZZZ"), "1", None, {"FROM", "TO"}),
        (("USD", "UAH"), "0", None, {"RATE"}),
        (("USD", "UAH"), "-1", None, {"RATE"}),
        (("USD", "UAH"), "NaN", None, {"RATE"}),
        (("USD", "UAH"), "Infinity", None, {"RATE"}),
        (("USD", "UAH"), "1", NOW, {"--until"}),
    ],
)
async def test_what_is_no_rate_is_refused_by_name(
    database: Database, pair: tuple[str, str], value: str, until: datetime | None, names: set[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        await rates.set_rate(database.pool, *pair, value, until=until, now=NOW)
    assert set(refused.value.errors) == names
    assert await rows(database.pool) == []


async def test_a_spread_is_on_top_and_a_currency_is_itself(database: Database, banks: FakeBanks) -> None:
    await update(database.pool, banks, Source.ECB)
    found = Rates(database.pool, At(NOW), Settings())
    spread = Decimal(2)
    assert await found.rate("EUR", "USD", spread=spread, test_mode=False) == Decimal("1.275")
    assert await found.rate("USD", "EUR", spread=spread, test_mode=False) == Decimal("0.816")
    assert await found.rate("XTS", "XTS", spread=spread, test_mode=False) == 1


async def test_the_last_day_is_found_without_reading_the_years_before(database: Database) -> None:
    year = [
        Quote(source=Source.ECB, base="EUR", quote="USD", rate=Decimal(day + 1), valid_from=DAY - timedelta(days=day))
        for day in range(365)
    ]
    await queries.save(database.pool, year, now=NOW)
    (found,) = await queries.latest(database.pool, now=NOW)
    assert found == year[0]
