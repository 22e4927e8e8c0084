"""The machine is lost and a backup, taken under load, is restored: what it holds is right, what it lacks is seen.

The bank of the test world and the merchants are strangers: they lose nothing, and know what happened after the backup.
"""

import asyncio
import random
import secrets
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from kassa.db import binaries
from tests.support import books, command
from tests.support import life as lives
from tests.support.api import Client
from tests.support.life import Life as Kassa
from tests.support.merchant import Merchant
from tests.support.waiting import until
from tests.torture.rig import PACE_SECONDS

BUYERS: Final = 2
LOAD: Final = 8
"""Payments before a backup at most, and after it at least."""
COMPARED_SECONDS: Final = 31 * 60
"""Past what is too young to be compared."""


@dataclass(kw_only=True)
class Backups:
    """What came of them."""

    restored: int = 0
    payments: int = 0
    told: int = 0
    """Callbacks that the backups knew as delivered."""
    missing: int = 0
    """Payments that the backups lacked."""

    def __str__(self) -> str:
        return (
            f"{self.restored} backups restored: the books of each prove to be whole, none of {self.told} callbacks "
            f"that were delivered came again, and each of {self.missing} payments that they lacked is a case; "
            f"{self.payments} payments in all"
        )


@dataclass(kw_only=True)
class _Trade:
    """Payers of a shop who buy one thing after the other, until all is lost."""

    shop: Client
    gate_url: str
    paid: list[str] = field(default_factory=list)

    async def reach(self, count: int) -> None:
        """Wait for so many more payments."""
        wanted = len(self.paid) + count
        await until(lambda: len(self.paid) >= wanted, seconds=60, what="payments")

    async def buy(self) -> None:
        """Buy for ever."""
        while True:
            created = await self.shop.create()
            assert (await self.shop.pay(created, self.gate_url)).attributes["status"] == "processed"
            self.paid.append(created.data["id"])


async def backed_up(folder: Path, database_url: str, merchant: Merchant, *, backups: int) -> Backups:
    """Take so many backups, each of what was restored from the last. Raises ``AssertionError``."""
    dice, done = random.Random(secrets.randbits(32)), Backups()  # noqa: S311 (moments are no secret)
    first = database_url
    async with lives.lived(folder) as kassa:
        _move(kassa, database_url)
        await kassa.start()
        keys = (await kassa.office.account(callback_url=merchant.url)).keys
        for number in range(backups):
            async with _trading(kassa, kassa.office.client(keys)) as trade:
                await trade.reach(dice.randrange(1, LOAD))
                dump = folder / f"{number}.dump"
                filled = await _filled(database_url)
                await _run("pg_dump", "--format=custom", "--enable-row-security", "--file", str(dump), database_url)
                await trade.reach(LOAD)
            done.payments += len(trade.paid)
            await kassa.kill()
            database_url = await _another(database_url)
            await _run("pg_restore", "--exit-on-error", "--single-transaction", "--dbname", database_url, str(dump))
            assert filled <= await _filled(database_url)
            await _begin_again(kassa, database_url, merchant, done)
    for row in await _rows(first, "SELECT datname FROM pg_database WHERE datname LIKE 'restored_%'"):
        await _rows(first, f"DROP DATABASE {row['datname']} WITH (FORCE)")
    return done


async def _begin_again(kassa: Kassa, database_url: str, merchant: Merchant, done: Backups) -> None:
    """Start Kassa on what was restored, and look at what follows."""
    delivered = await _rows(database_url, "SELECT callback_id FROM callbacks WHERE status = 'done'")
    merchant.received.clear()
    _move(kassa, database_url)
    await kassa.start()
    await until(lambda: _quiet(kassa), seconds=60, what="quiet")
    assert (await _kassa(kassa, "ledger", "verify")).status == 0
    told = {callback.headers["webhook-id"] for callback in merchant.received}
    assert told.isdisjoint(row["callback_id"] for row in delivered)
    missing = await _missing(kassa)
    await kassa.advance(seconds=COMPARED_SECONDS)
    compared = await _kassa(kassa, "reconcile", "run")
    assert compared.status == (1 if missing else 0), compared.err
    cases = await _rows(database_url, "SELECT kind, movement, ref FROM discrepancies WHERE resolved_at IS NULL")
    assert Counter(tuple(row.values()) for row in cases) == {("missing_here", "purchase", ref): 1 for ref in missing}
    done.restored, done.told, done.missing = done.restored + 1, done.told + len(delivered), len(missing)


async def _missing(kassa: Kassa) -> set[str]:
    """Return the payments that the bank has taken and the books know nothing of; of the others both know the same."""
    at_bank = {line["order"]: line["amount"] for line in await books.statement(kassa.office, _bank_url(kassa))}
    rows = await kassa.office.fetch("SELECT payment_id, processed_amount FROM payments WHERE processed_amount > 0")
    ours = {row["payment_id"]: row["processed_amount"] for row in rows}
    assert ours.items() <= at_bank.items()
    return at_bank.keys() - ours.keys()


async def _quiet(kassa: Kassa) -> bool:
    accounts = await kassa.office.fetch("SELECT account_id FROM accounts")
    if all([await books.quiet(kassa.office, row["account_id"]) for row in accounts]):
        return True
    await kassa.advance(seconds=PACE_SECONDS)
    return False


@asynccontextmanager
async def _trading(kassa: Kassa, shop: Client) -> AsyncIterator[_Trade]:
    """Let payers buy, until the machine is lost in the middle of it."""
    trade = _Trade(shop=shop, gate_url=kassa.serving.served.gate_url)
    buying = [asyncio.create_task(trade.buy()) for _ in range(BUYERS)]
    try:
        yield trade
    finally:
        for task in buying:
            task.cancel()
        ended = await asyncio.gather(*buying, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


def _move(kassa: Kassa, database_url: str) -> None:
    """Let Kassa, and its operator, work on a database from its next start on."""
    kassa.environment["KASSA_DATABASE_URL"] = kassa.database_url = database_url


def _bank_url(kassa: Kassa) -> str:
    return kassa.serving.served.bank_url


async def _kassa(kassa: Kassa, *words: str) -> command.Ran:
    return await command.run(*words, environment={**kassa.environment, "KASSA_HOME": str(kassa.folder / "home")})


async def _run(program: str, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(str(binaries._installed() / program), *words, stderr=PIPE)
    _, told = await process.communicate()
    assert process.returncode == 0, told.decode()


async def _another(database_url: str) -> str:
    """Add an empty database beside one, and return its URL."""
    name = f"restored_{secrets.token_hex(8)}"
    await _rows(database_url, f"CREATE DATABASE {name}")
    return urlsplit(database_url)._replace(path=f"/{name}").geturl()


async def _filled(database_url: str) -> set[str]:
    """Return the tables that hold anything for longer than a moment."""
    tables = await _rows(database_url, "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'")
    names = [row["relname"] for row in tables if row["relname"] != "ledger_unnumbered"]
    return {name for name in names if await _rows(database_url, f"SELECT FROM {name} LIMIT 1")}


async def _rows(database_url: str, statement: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database_url)
    try:
        return [dict(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()
