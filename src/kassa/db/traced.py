"""A connection whose statements are spans, for pools that are opened while tracing is on."""

import re
from typing import Any, Final

import asyncpg

from kassa.observability import tracing

_TEXT_MAX: Final = 2000
_COMMENT: Final = re.compile(r"--[^\n]*")
_VERB: Final = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|BEGIN|COMMIT|ROLLBACK|SET|SHOW|SAVEPOINT|RELEASE|WITH)\b", re.IGNORECASE
)
_TABLE: Final = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)", re.IGNORECASE)


class TracedConnection(asyncpg.Connection):
    """Statements outside of a request and of work, such as the worker's questions what is due, leave no span."""

    async def execute(self, query: str, *args: Any, **options: Any) -> Any:
        """Run a statement."""
        if not tracing.within():
            return await super().execute(query, *args, **options)
        with tracing.statement(*_described(query)):
            return await super().execute(query, *args, **options)

    async def executemany(self, command: str, args: Any, **options: Any) -> Any:
        """Run a statement for each of many rows."""
        if not tracing.within():
            return await super().executemany(command, args, **options)
        with tracing.statement(*_described(command)):
            return await super().executemany(command, args, **options)

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        """Return rows."""
        if not tracing.within():
            return await super().fetch(query, *args, **options)
        with tracing.statement(*_described(query)):
            return await super().fetch(query, *args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        """Return a row."""
        if not tracing.within():
            return await super().fetchrow(query, *args, **options)
        with tracing.statement(*_described(query)):
            return await super().fetchrow(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        """Return a value."""
        if not tracing.within():
            return await super().fetchval(query, *args, **options)
        with tracing.statement(*_described(query)):
            return await super().fetchval(query, *args, **options)


def _described(query: str) -> tuple[str, str]:
    """Return a statement's name, such as ``UPDATE payments``, and its text on one line."""
    text = " ".join(_COMMENT.sub(" ", query).split())
    verb, table = _VERB.search(text), _TABLE.search(text)
    name = " ".join(found[1] for found in (verb, table) if found)
    return name or "statement", text[:_TEXT_MAX]
