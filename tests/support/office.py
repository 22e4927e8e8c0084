"""The operator of a running Kassa: makes accounts, changes them and looks into the database, from another process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from kassa.accounts import operations
from kassa.accounts.model import Keys
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db import pool, queries
from kassa.db.home import load_root
from kassa.db.pool import Pool
from kassa.sealing import Root
from tests.support.api import CARD_USD, Client
from tests.support.serving import Keys as ReadyKeys
from tests.support.serving import Serving
from tests.support.waiting import until

_CONNECTIONS = 4
_CLOSE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Office:
    """What the operator works with."""

    pool: Pool
    owner: asyncpg.Pool
    """Connections of the database's owner, who sees every row."""
    root: Root
    clock: Clock
    base_url: str
    session: aiohttp.ClientSession

    async def account(self, *, services: Sequence[str] = (CARD_USD,), **options: str) -> Client:
        """Add an account, and return its software."""
        made = await operations.create(
            self.pool,
            self.root,
            self.clock,
            name="Shop",
            currency="EUR",
            set_options=options,
            services=services,
            by="ann",
        )
        return self.client(made.keys)

    def client(self, keys: Keys | ReadyKeys) -> Client:
        """Return an account's software."""
        return Client(self.session, self.base_url, keys)

    async def set_options(self, account_id: str, **options: str) -> None:
        """Change an account's options."""
        await operations.set_options(self.pool, self.clock, account_id, options, by="ann")

    async def advance(self, step: timedelta) -> None:
        """Move the clock of test mode on, and return when what runs has followed."""
        offset = await queries.advance_test_offset(self.pool, step=step, test_offset_max=timedelta(days=3650))
        assert offset is not None
        watch = await self.account()

        async def followed() -> bool:
            answer = await watch.create()
            if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                return False
            return bool(answer.attributes["created"] > (self.clock.real() + offset - step / 2).timestamp())

        await until(followed, what="the clock's move")

    async def told(self, shop: Client) -> None:
        """Wait until a merchant's callbacks are delivered: one under way while the clock moves on is sent again."""

        async def told() -> bool:
            statement = "SELECT callback_id FROM callbacks WHERE account_id = $1 AND status = 'pending'"
            return not await self.fetch(statement, shop.keys.id)

        await until(told, what="the last callback")

    async def fetch(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Return rows of the database."""
        return [dict(row) for row in await self.owner.fetch(statement, *values)]

    async def rows(self, account_id: str) -> dict[str, int]:
        """Return how many rows of each kind an account has."""
        tables = ("invoices", "customers", "payments", "callbacks")
        counted = ", ".join(f"(SELECT count(*) FROM {table} WHERE account_id = $1) AS {table}" for table in tables)
        return (await self.fetch(f"SELECT {counted}", account_id))[0]


@asynccontextmanager
async def opened(serving: Serving, *, url: str | None = None) -> AsyncIterator[Office]:
    """Work on a running Kassa for a while; ``url`` is the way to the database, if it is not Kassa's own."""
    home: Path = serving.folder / "home"
    database_url = url or serving.served.database_url
    connections = await pool.connect(database_url, role="kassa_app", size=_CONNECTIONS)
    try:
        async with (
            asyncpg.create_pool(database_url, min_size=1, max_size=2) as owner,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session,
        ):
            yield Office(
                pool=connections,
                owner=owner,
                root=load_root(Settings(home=str(home))),
                clock=Clock(),
                base_url=serving.served.base_url,
                session=session,
            )
    finally:
        await pool.close(connections, seconds=_CLOSE_SECONDS)
