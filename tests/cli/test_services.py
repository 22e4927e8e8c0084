"""``kassa services``: what an operator switches and adds."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kassa.sealing import Root
from tests.support import command
from tests.support.command import Ran
from tests.support.postgres import Database

CARD_USD = "payment_card_usd_hpp"
ROOT = Root.generate()
BUILT_IN = 50

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
def kassa(database: Database) -> Kassa:
    """Run commands on a database of the test's own."""
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_SECRET_KEY": ROOT}

    async def run(*words: str) -> Ran:
        return await command.run(*words, environment=environment)

    return run


@pytest.fixture
async def account(kassa: Kassa) -> str:
    """The id of an account without services."""
    made: Any = (await kassa("accounts", "create", "--json")).document()
    return str(made["id"])


async def test_a_service_is_added_by_what_it_is_on_terms_of_its_own(kassa: Kassa, account: str) -> None:
    words = ("--method", "qiwi", "--currency", "usd", "--fee-rate", "2.5", "--fee-fix", "0.3", "--fee-min", "0.5")
    more = ("--fee-max", "20", "--amount-min", "1", "--amount-max", "500")
    reserve = ("--reserve-rate", "10", "--reserve-lifetime", "1440")
    back = ("--refund-fee-fix", "0.5", "--charge-back-fee-fix", "15")
    ran = await kassa("services", "add", "-a", account, *words, *more, *reserve, *back, "--json")
    added: Any = ran.document()
    assert [{**each, "account_service_id": None} for each in added] == [
        {
            "account_service_id": None,
            "code": "qiwi_usd_hpp",
            "method": "qiwi",
            "flow": "hpp",
            "currency": "USD",
            "enabled": True,
            "amount_min": 100,
            "amount_max": 50000,
            "fee_rate": "2.5",
            "fee_fix": 30,
            "fee_min": 50,
            "fee_max": 2000,
            "reserve_rate": "10",
            "reserve_lifetime": 1440,
            "refund_fee_fix": 50,
            "charge_back_fee_fix": 1500,
        }
    ]
    again = await kassa("services", "add", "-a", account, "qiwi_usd_hpp", "--fee-rate", "3")
    assert [line.split() for line in again.out.splitlines()] == [
        ["service", "state", "from", "to", "fee", "%"],
        ["qiwi_usd_hpp", "on", "1", "500", "3"],
    ]


async def test_all_services_are_switched_on_and_off_at_once(kassa: Kassa, account: str) -> None:
    on = await kassa("services", "on", "-a", account, "--all")
    assert (on.status, on.out) == (0, f"All {BUILT_IN} services are on.\n")
    off = await kassa("services", "off", "-a", account, "--all")
    assert (off.status, off.out) == (0, f"All {BUILT_IN} services are off.\n")
    listed: Any = (await kassa("services", "list", "-a", account, "--json")).document()
    assert [each["enabled"] for each in listed] == [False] * BUILT_IN


@pytest.mark.parametrize(
    "words,told",
    [
        (["on"], "CODE: This value should be the code of a service, such as payment_card_usd_hpp, or --all.\n"),
        (["add"], "CODE: This needs the code of a service, or --method and --currency.\n"),
        (["add", "--method", "qiwi"], "CODE: This needs the code of a service, or --method and --currency.\n"),
        (["add", "--method", "qiwi", "--currency", "UAH"], "CODE: The catalogue has no such service of qiwi in UAH.\n"),
        (
            ["add", CARD_USD, "--method", "qiwi"],
            f"method: This value should be payment_card, or be left out: it is what {CARD_USD} is.\n",
        ),
        (
            ["add", CARD_USD, "--currency", "eur"],
            f"currency: This value should be USD, or be left out: it is what {CARD_USD} is.\n",
        ),
        (["add", "nope"], "nope: The catalogue does not have this service.\n"),
        (["add", CARD_USD, "--fee-rate", "lots"], "fee_rate: This value should be a number, such as 2.5.\n"),
    ],
)
async def test_what_cannot_be_done_is_told_in_a_sentence(
    kassa: Kassa, account: str, words: list[str], told: str
) -> None:
    ran = await kassa("services", *words, "-a", account)
    assert (ran.status, ran.out, ran.err) == (1, "", told)
