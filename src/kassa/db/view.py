"""Reading at one moment, and behind row-level security: whatever a statement says, it sees one account."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final, cast

import asyncpg

from kassa.db.pool import Connection

ROLE: Final = "kassa_view"
"""The role of a view's pool."""

# Plans that know the values: which index serves a list depends on how rare they are.
_ENTER: Final = """
SELECT set_config('kassa.account_id', $1, true), set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('enable_seqscan', $2, true), set_config('enable_bitmapscan', $2, true)
"""


@contextlib.asynccontextmanager
async def one_moment(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """Give a connection whose statements all see the database as it is at one moment, and change nothing.

    Raises ``DatabaseUnavailable``.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        # What the pool lends has every method of a connection, without being one.
        yield cast("Connection", connection)


@contextlib.asynccontextmanager
async def account_view(pool: asyncpg.Pool, *, account_id: str, whole_tables: bool = True) -> AsyncIterator[Connection]:
    """Give a connection that sees one account's rows as they are at one moment, and changes nothing.

    ``pool`` acts as ``ROLE``. This is where composed statements run: one that forgot its account shows no other's rows.
    Without ``whole_tables`` the planner keeps to walks along indexes, as a page needs them: it must not read all
    invoices, or all customers, because it overestimates how many will fit. Raises ``DatabaseUnavailable``.
    """
    async with one_moment(pool) as connection:
        await connection.execute(_ENTER, account_id, "on" if whole_tables else "off")
        yield connection
