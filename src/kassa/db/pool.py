"""Connections: pools that act as one role and wait for nothing longer than a request may, and transactions on them."""

import asyncio
import contextlib
import functools
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

import asyncpg
import msgspec
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

from kassa.db import contact
from kassa.db.traced import TracedConnection
from kassa.errors import DatabaseUnavailable
from kassa.observability import tracing
from kassa.observability.events import until_committed

Connection: TypeAlias = asyncpg.Connection
"""One connection, such as ``transaction`` gives."""
Executor: TypeAlias = asyncpg.Connection | asyncpg.Pool
"""Whatever runs a statement: a connection in a transaction, or a pool for a statement of its own."""


class Row(Protocol):
    """One row that a statement returned, by the names of its columns."""

    def __getitem__(self, column: str, /) -> Any:
        """Return what a column holds."""


Work = TypeVar("Work", bound=Callable[..., Awaitable[Any]])

ACQUIRE_SECONDS = 3.0
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 8.0
"""The client's own limit, past the server's: for a server that does not answer at all."""


class PoolSizes(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections the pools of one process open at most."""

    app: int = 16
    """Of the role ``kassa_app``."""
    view: int = 8
    """Of the role ``kassa_view``."""

    @property
    def total(self) -> int:
        """Those of both."""
        return self.app + self.view


_SERVER_SETTINGS = {
    "application_name": "kassa",
    "timezone": "UTC",
    "search_path": "public",
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}

_UNAVAILABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    # The primary was made a replica: another one takes writes now.
    asyncpg.ReadOnlySQLTransactionError,
)
_UNDONE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""How PostgreSQL says that it has rolled a transaction back because of another one, and that it may well go through
the next time. A lock or a statement that took too long is none of these: it would only take as long again."""
AGAIN_SECONDS: Final = (0.05, 0.1, 0.2)
"""The longest pause before each new try; as long as chance says, or those who were in each other's way met again."""

# InterfaceError is also raised for mistakes in our own code, which must stay visible as such.
_CLOSED = re.compile(r"\b(closed|closing)\b")
# A server that dies says so on idle connections too; until such a one is seen closed, this is how it takes a statement.
_LAST_WORDS = re.compile(r"^cannot switch to state \d+; another operation \(\d+\) is in progress")


def is_unavailable(error: BaseException | None) -> bool:
    """Return whether an error means that the database is away, busy or full, rather than that a statement is wrong."""
    if isinstance(error, asyncpg.InterfaceError):
        return _CLOSED.search(str(error)) is not None
    if isinstance(error, asyncpg.InternalClientError):
        return _LAST_WORDS.search(str(error)) is not None
    return isinstance(error, _UNAVAILABLE)


class answering:  # noqa: N801  # it is used like a function of contextlib's, which would cost more than the rest
    """Turn what a database that is away, busy or full raises into ``DatabaseUnavailable``; other errors pass.

    Whether a statement took effect is then unknown: the caller reads its own key back before it tries again.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and is_unavailable(error):
            raise DatabaseUnavailable from error


def unit_of_work(work: Work) -> Work:
    """Run the whole of ``work`` again, at most three times, when PostgreSQL has rolled back the transaction in it.

    Everything that opens a ``transaction`` is one. Nothing in it may call another server, which would be called again.
    """

    @functools.wraps(work)
    async def tried(*args: object, **kwargs: object) -> object:
        for seconds in AGAIN_SECONDS:
            try:
                return await work(*args, **kwargs)
            except DatabaseUnavailable as error:
                if not isinstance(error.__cause__, _UNDONE):
                    raise
            await asyncio.sleep(random.uniform(0, seconds))  # noqa: S311 (guessing it gains nothing)
        return await work(*args, **kwargs)

    return cast("Work", tried)


class _Acquired(PoolAcquireContext):
    """A borrowed connection, whose errors are raised as Kassa's own."""

    async def __aenter__(self) -> PoolConnectionProxy:
        pool = cast("Pool", self.pool)
        pool.waiting += 1
        try:
            with answering():
                return await super().__aenter__()
        finally:
            pool.waiting -= 1

    async def __aexit__(self, *exc: object) -> None:
        with answering():
            await super().__aexit__(*exc)
        error = exc[1]
        if isinstance(error, Exception) and is_unavailable(error):
            raise DatabaseUnavailable from error


class Pool(asyncpg.Pool):
    """A pool that raises ``DatabaseUnavailable`` when the database is, from its own statements too.

    Each of these is a unit of work.
    """

    waiting: int = 0
    """How many wait for a connection at this moment."""

    execute = unit_of_work(asyncpg.Pool.execute)
    fetch = unit_of_work(asyncpg.Pool.fetch)
    fetchrow = unit_of_work(asyncpg.Pool.fetchrow)
    fetchval = unit_of_work(asyncpg.Pool.fetchval)

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        """Wait for a free connection, never longer than a request may wait."""
        return _Acquired(self, ACQUIRE_SECONDS if timeout is None else timeout)


async def connect(url: str, *, role: str | None, size: int) -> Pool:
    """Open a pool of at most ``size`` connections that act as ``role``, or as the login itself.

    Raises ``DatabaseUnusable`` saying why it cannot be had, ``DatabaseUnavailable`` when the database does not answer.
    """
    settings = _SERVER_SETTINGS | ({"role": role} if role else {})
    pool = Pool(
        url,
        init_size=1,
        min_size=0,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        reset=_keep,
        loop=None,
        connection_class=TracedConnection if tracing.on() else asyncpg.Connection,
        record_class=asyncpg.Record,
        timeout=CONNECT_SECONDS,
        command_timeout=ANSWER_SECONDS,
        server_settings=settings,
    )
    with answering(), contact.explaining(url):
        await pool
    return pool


@contextlib.asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """Give a connection in a transaction that commits at the end of the block, or rolls back when it raises.

    Business events that are recorded in it are written after the commit.
    Raises ``DatabaseUnavailable`` when the database is away; the commit's outcome is then unknown.
    """
    with until_committed():
        async with pool.acquire() as connection, connection.transaction():
            # What the pool lends has every method of a connection, without being one.
            yield cast("Connection", connection)


async def close(pool: asyncpg.Pool, *, seconds: float) -> None:
    """Close a pool: politely, and after ``seconds`` at once."""
    try:
        async with asyncio.timeout(seconds):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _keep(connection: Connection) -> None:
    """Save the round trip that resets a session: nothing in Kassa changes one outside a transaction."""
