"""A provider says that it has refused a card, although it has taken the money, and never notifies anyone of it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kassa.bank.faults import EXPIRIES, Fault
from kassa.invoices.operations import pay
from kassa.invoices.rules.patience import RECHECK_AFTER
from kassa.providers.protocol import Declined
from tests.support import oracle
from tests.support import world as worlds
from tests.support.postgres import Database
from tests.support.world import Changes, World

DENIED = next(expiry for expiry, fault in EXPIRIES.items() if fault is Fault.LATE_TRUTH)


@pytest.fixture(scope="module")
async def world(module_database: Database, folders: Callable[[], Path]) -> AsyncIterator[World]:
    """A Kassa that no notification reaches."""
    async with worlds.opened(module_database, folders()) as opened:
        yield opened


@pytest.mark.parametrize("again", [False, True], ids=["said once", "said again when the payer came back"])
async def test_a_second_charge_goes_back_once_the_provider_is_polled_ten_minutes_later(
    world: World, *, again: bool
) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry=DENIED)
    refused = (await world.view(invoice)).payment
    assert refused is not None
    if again:
        await pay.apply_result(world.platform, refused, Declined(external_id=None, resolution="declined"))
    await world.pay(invoice, number=2)
    assert await world.changes(invoice) == Changes(
        status="processed", resolution="ok", attempts=["process_failed", "processed"]
    )
    world.move_clock(seconds=RECHECK_AFTER.total_seconds() - 60)
    assert await world.ask(account) == 0
    world.move_clock(seconds=61)
    assert await world.ask(account) == 2, "for the attempt, and for its money to go back"
    assert await world.changes(invoice) == Changes(
        status="processed", resolution="ok", attempts=["refunded", "processed"]
    )
    rows = await oracle.check(world, account)
    assert [(each["reason"], each["status"], each["amount"]) for each in rows.returns] == [
        ("duplicate", "refunded", 10_000)
    ]
    assert (await oracle.at_bank(world, rows))["USD"] == 10_000


async def test_a_refusal_is_believed_after_it_was_polled_for_once_more(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice, card=worlds.BAD)
    world.move_clock(seconds=RECHECK_AFTER.total_seconds() + 1)
    assert await world.ask(account) == 1
    world.move_clock(days=1)
    assert await world.ask(account) == 0
