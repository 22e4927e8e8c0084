"""``kassa catalogue import``: what an operator sees, and that a running Kassa offers it at once."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.support import command, serving
from tests.support.api import Client
from tests.support.postgres import Database
from tests.support.waiting import until

SAMPLE = Path(__file__).parents[1] / "catalogue" / "sample"

FIRST = """\
            read  new  changed  unchanged  ours  refused
currencies  7     2    0        0          1     4
methods     8     3    0        0          1     4
services    16    6    0        0          1     9

Patterns that were dropped: they cannot be run or cannot be meant; their fields take any text:
  service teapay_usd_hpp, field document: /^[0-9]{10-14}$/: {10-14} is no quantifier
"""


async def test_an_import_tells_what_it_took_and_what_not_and_can_be_repeated(database: Database) -> None:
    environment = {"KASSA_DATABASE_URL": database.url}
    first = await command.run("catalogue", "import", str(SAMPLE), environment=environment)
    assert first.status == 0
    assert first.out.startswith(FIRST)
    assert "\nRefused:\n  currency DUST: expected `int` <= 12" in first.out
    assert "  service ghost_usd_hpp: there is no method ghost\n" in first.out
    strict = await command.run("catalogue", "import", str(SAMPLE), "--strict", environment=environment)
    assert strict.status == 2
    second = await command.run("catalogue", "import", str(SAMPLE), environment=environment)
    assert second.status == 0
    assert "services    16    0    0        6          1     9\n" in second.out
    assert second.out.endswith("\nNothing has changed.\n")


@pytest.mark.parametrize("folder", ["nowhere", "."])
async def test_a_folder_that_holds_no_catalogue_is_told_in_a_sentence(
    database: Database, tmp_path: Path, folder: str
) -> None:
    ran = await command.run(
        "catalogue", "import", str(tmp_path / folder), environment={"KASSA_DATABASE_URL": database.url}
    )
    path = tmp_path / folder / "currencies.json"
    assert (ran.status, ran.out, ran.err) == (1, "", f"{path} cannot be read: No such file or directory.\n")


async def test_a_running_kassa_takes_money_in_what_is_imported_beside_it(folder: Path) -> None:
    async with serving.running(folder) as running, aiohttp.ClientSession() as session:
        shop = Client(session, running.served.base_url, running.served.account)
        environment = {"KASSA_HOME": str(folder / "home")}
        assert (await asked(shop, "TEA"))[0] == 422
        await command.run("catalogue", "import", str(SAMPLE), environment=environment)
        words = ("--method", "teapay", "--currency", "TEA", "--amount-max", "2.5")
        added = await command.run("services", "add", "-a", shop.keys.id, *words, environment=environment)
        assert added.out.splitlines()[1].split() == ["tea_house_tea_hpp", "on", "0.00000001", "2.5", "0"]

        async def is_offered() -> bool:
            status, text = await asked(shop, "TEA")
            return status == 200 and '"amount_min":0.00000001,"amount_max":2.5' in text

        await until(is_offered, what="the service to be offered")
        refused = await shop.create(service="tea_house_tea_hpp", currency="TEA", amount="0.000000001")
        assert refused.errors == {"amount": "This value should have no more than 8 decimals in TEA."}
        logo = await shop.call("GET", "/static/methods/teapay/logo.svg", anonymous=True)
        assert (logo.status, logo.headers["content-type"]) == (200, "image/svg+xml")
        assert ">Tea Pay</text>" in logo.text
        together = await asyncio.gather(*(asked(shop, "TEA") for _ in range(20)))
        assert len(set(together)) == 1


async def asked(shop: Client, currency: str) -> tuple[int, str]:
    body = {"public_key": shop.keys.public_key_test, "currency": currency}
    answer = await shop.call("POST", "/public-api/payment-prerequest", json_body=body, anonymous=True)
    return answer.status, answer.text
