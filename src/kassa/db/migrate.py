"""Migrations: numbered SQL files, applied in order, forward only, by the process that starts first."""

from pathlib import Path

import asyncpg
import structlog
from pogo_core.error import BadMigrationError
from pogo_core.util import migrate as pogo
from pogo_core.util import sql

from kassa.db import contact
from kassa.db.pool import answering
from kassa.errors import MigrationFailed

FOLDER = Path(__file__).parent / "migrations"
SCHEMA = "public"

_LOCK = 0x4B61737361
"""The advisory lock's number: "Kassa"."""
_LOCK_WAIT = "60s"

_log = structlog.get_logger(__name__)


async def migrate(url: str) -> list[str]:
    """Bring the database up to date and return the names of the migrations that were applied.

    Several processes may call this at once: one works, the others wait. Each migration is one transaction, so that a
    kill half-way leaves the database as it was before it. Raises ``MigrationFailed``, ``DatabaseUnusable`` or
    ``DatabaseUnavailable``.
    """
    with answering():
        connection = await _connect(url)
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
            waiting = await _pending(connection)
            if waiting:
                await pogo.apply(connection, FOLDER, schema_name=SCHEMA)
        except BadMigrationError as error:
            if isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
                raise contact.rights_missing(url, error.__cause__) from error
            raise MigrationFailed(f"{error}: {error.__cause__}") from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise contact.rights_missing(url, error) from error
        finally:
            await connection.close(timeout=5)
    if waiting:
        _log.info("migrations applied", count=len(waiting), last=waiting[-1])
    return waiting


async def pending(url: str) -> list[str]:
    """Return the names of the migrations that the database still waits for.

    Raises ``DatabaseUnusable``, ``DatabaseUnavailable``.
    """
    with answering():
        connection = await _connect(url)
        try:
            return await _pending(connection)
        finally:
            await connection.close(timeout=5)


async def _connect(url: str) -> asyncpg.Connection:
    settings = {
        "application_name": "kassa migrate",
        "search_path": SCHEMA,
        "timezone": "UTC",
        "lock_timeout": _LOCK_WAIT,
    }
    return await contact.connect(url, server_settings=settings)


async def _pending(connection: asyncpg.Connection) -> list[str]:
    known = sorted(path.stem for path in FOLDER.glob("*.sql"))
    if await sql.get_pogo_version(connection) is None:
        return known
    await sql.ensure_pogo_sync(connection)
    applied = await sql.get_applied_migrations(connection, schema_name=SCHEMA)
    return [name for name in known if name not in applied]
