"""``kassa rates``: asking banks, setting rates by hand, and reading what there is."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kassa.sealing import Root
from tests.support import command, rates
from tests.support.command import Ran
from tests.support.postgres import Database

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
def kassa(database: Database) -> Kassa:
    """Run commands on a database of the test's own."""
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_SECRET_KEY": Root.generate()}

    async def run(*words: str, **more: Any) -> Ran:
        return await command.run(*words, environment=environment | more)

    return run


async def test_banks_that_tell_are_written_though_one_does_not(kassa: Kassa) -> None:
    async with rates.serving(ecb=rates.ecb({"USD": "1.25"}), nbu=rates.nbu({"USD": "41.25"}), cbr=503) as banks:
        ran = await kassa("rates", "update", **banks.environment)
    assert (ran.status, ran.out.splitlines()) == (1, ["ecb: 1 rates of 2026-11-24", "nbu: 1 rates of 2026-11-24"])
    assert ran.err == "cbr: The answer was 503.\n"
    listed = await kassa("rates", "list")
    assert [line.split() for line in listed.out.splitlines()] == [
        ["source", "from", "to", "rate", "since", "until"],
        ["ecb", "EUR", "USD", "1.25", "2026-11-24", "00:00"],
        ["nbu", "USD", "UAH", "41.25", "2026-11-24", "00:00"],
    ]


async def test_only_the_banks_that_are_named_are_asked(kassa: Kassa) -> None:
    async with rates.serving(cbr=rates.cbr({"USD": (1, "80,5")})) as banks:
        assert (await kassa("rates", "update", "cbr", **banks.environment)).status == 0
        assert banks.requested == ["cbr"]
        assert (await kassa("rates", "update", "manual", **banks.environment)).status == 1
        assert (await kassa("rates", "update", "imf", **banks.environment)).status == 2


async def test_a_rate_is_set_listed_and_taken_away(kassa: Kassa) -> None:
    added = await kassa("rates", "add", "usd", "uah", "44.50", "--until", "2100-01-01T00:00:00Z")
    assert added.out.splitlines()[1].split()[:4] == ["manual", "USD", "UAH", "44.5"]
    assert added.out.splitlines()[1].endswith("2100-01-01 00:00")
    listed = (await kassa("rates", "list", "--json")).document()
    assert isinstance(listed, list)
    assert [(each["source"], each["base"], each["quote"], each["rate"]) for each in listed] == [
        ("manual", "USD", "UAH", "44.50")
    ]
    assert (await kassa("rates", "remove", "USD", "UAH")).status == 0
    gone = await kassa("rates", "remove", "USD", "UAH")
    assert (gone.status, gone.err) == (1, "There is no manual rate from USD to UAH.\n")


@pytest.mark.parametrize("words", [("1e3",), ("x",), ("1", "--until", "soon")])
async def test_what_cannot_be_read_is_refused(kassa: Kassa, words: tuple[str, ...]) -> None:
    ran = await kassa("rates", "add", "USD", "UAH", *words)
    assert (ran.status, "should be" in ran.err) == (1, True)
