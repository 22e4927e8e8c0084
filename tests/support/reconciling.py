"""Comparing books in tests: runs, the cases they left, and a hand in the bank's own books."""

import base64
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from kassa.accounts.model import Account
from kassa.accounts.operations import BANK_MERCHANT_ID, bank_merchant_secret
from kassa.reconciliation.cases import queries as cases
from kassa.reconciliation.cases.queries import Case
from kassa.reconciliation.comparing import Result, compared
from kassa.reconciliation.turns import queries as turns
from tests.support import ledger
from tests.support.bank import order_body
from tests.support.world import World

LATER: Final = timedelta(minutes=31)
"""When what happened is old enough to be compared."""


def now(world: World) -> datetime:
    """Return the moment of test mode."""
    return world.platform.clock.now(test_mode=True)


async def provider_account_id(world: World, account: Account) -> str:
    """Return the id of an account's provider account."""
    (standing,) = await turns.standings(world.platform.pool, account_id=account.account_id)
    return standing.provider_account_id


async def compare(
    world: World, account: Account, *, since: datetime | None = None, until: datetime | None = None
) -> Result:
    """Compare an account's books of the last six hours, or of another time."""
    await ledger.number(world.platform.pool, account.account_id)
    result = await compared(
        world.platform,
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


async def found(world: World, account: Account, *, open_only: bool = True) -> list[Case]:
    """Return an account's cases."""
    return await cases.cases(world.platform.pool, account_id=account.account_id, open_only=open_only, limit=1000)


def told(case: Case) -> tuple[Any, Any]:
    """Return what the two sides of a case say: our status and amount, the bank's amount."""
    ours, theirs = (None if text is None else msgspec.json.decode(text) for text in (case.ours, case.theirs))
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
