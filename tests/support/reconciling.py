"""Comparing books in tests: runs, the discrepancies they left, and a hand in the bank's own books."""

import base64
import dataclasses
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from kassa.accounts.model import Account
from kassa.accounts.operations import BANK_MERCHANT_ID, bank_merchant_secret
from kassa.platform import Platform
from kassa.providers.protocol import Credentials, Statement
from kassa.providers.registry import Registry
from kassa.providers.test.verbs import TestProvider
from kassa.reconciliation.comparing import Result, compared
from kassa.reconciliation.discrepancies import queries as discrepancies
from kassa.reconciliation.discrepancies.queries import Discrepancy
from kassa.reconciliation.turns import queries as turns
from tests.support import ledger
from tests.support.bank import order_body
from tests.support.world import World

LATER: Final = timedelta(minutes=31)
"""When what happened is old enough to be compared."""


class Telling(TestProvider):
    """The bank's provider with a statement that someone else wrote."""

    def __init__(self, world: World, tell: Callable[[str | None], Statement]) -> None:
        super().__init__(world.bank_url, world.platform.outbound, answer_seconds=10.0)
        self._tell = tell

    async def statement(
        self, credentials: Credentials, since: datetime, until: datetime, after: str | None
    ) -> Statement:
        return self._tell(after)


def with_provider(world: World, provider: object) -> Platform:
    """Return a platform whose provider ``test`` is another."""
    return dataclasses.replace(world.platform, providers=Registry({"test": provider}))  # type: ignore[dict-item]


def now(world: World) -> datetime:
    """Return the moment of test mode."""
    return world.platform.clock.now(test_mode=True)


async def provider_account_id(world: World, account: Account) -> str:
    """Return the id of an account's provider account."""
    (schedule,) = await turns.schedules(world.platform.pool, account_id=account.account_id)
    return schedule.provider_account_id


async def compare(
    world: World,
    account: Account,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    platform: Platform | None = None,
) -> Result:
    """Compare an account's books of the last six hours, or of another time."""
    await ledger.number(world.platform.pool, account.account_id)
    result = await compared(
        platform or world.platform,
        account.account_id,
        await provider_account_id(world, account),
        since=since or now(world) - timedelta(hours=6),
        until=until,
    )
    assert result is not None
    return result


async def compare_later(world: World, account: Account) -> Result:
    """Let some time pass, and compare."""
    world.platform.clock.test_offset += LATER
    return await compare(world, account)


async def found(world: World, account: Account, *, open_only: bool = True) -> list[Discrepancy]:
    """Return an account's discrepancies."""
    return await discrepancies.listed(
        world.platform.pool, account_id=account.account_id, open_only=open_only, limit=1000
    )


def told(discrepancy: Discrepancy) -> tuple[Any, Any]:
    """Return what the two sides of a discrepancy say: our status and amount, the bank's amount."""
    ours, theirs = (
        None if text is None else msgspec.json.decode(text) for text in (discrepancy.ours, discrepancy.theirs)
    )
    return ours and (ours["status"], ours["amount"]), theirs and theirs["amount"]


async def proven(world: World, account: Account) -> None:
    """Prove an account's books."""
    await ledger.number(world.platform.pool, account.account_id)
    assert not (await ledger.verified(world.platform.pool, account.account_id)).problems


def write(world: World, statement: str, *values: object) -> int:
    """Change the bank's books by hand; return how many rows changed."""
    connection = sqlite3.connect(world.platform.settings.home_path() / "bank" / "books.sqlite3", timeout=10)
    try:
        with connection:
            return connection.execute(statement, values).rowcount
    finally:
        connection.close()


def read(world: World, statement: str, *values: object) -> Sequence[Any]:
    """Read the bank's books."""
    connection = sqlite3.connect(world.platform.settings.home_path() / "bank" / "books.sqlite3", timeout=10)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


async def at_bank(world: World, path: str, body: dict[str, Any] | None = None) -> None:
    """Ask the bank for something with the merchant's credentials, past Kassa."""
    token = base64.b64encode(f"{BANK_MERCHANT_ID}:{bank_merchant_secret(world.platform.root)}".encode()).decode()
    async with world.session.put(
        f"{world.bank_url}{path}",
        data=msgspec.json.encode(body or order_body("http://127.0.0.1:9/")),
        headers={"Authorization": f"Basic {token}"},
    ) as answer:
        assert answer.status == 200, await answer.text()
        assert (await answer.json())["state"] == "APPROVED"
