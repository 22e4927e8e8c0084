"""Reading an invoice's timeline."""

from datetime import datetime
from typing import Any, Final

import msgspec

from kassa.db.pool import Executor
from kassa.values import Value


class Happened(Value, frozen=True, kw_only=True):
    """One event of an invoice, as it was written with the change that it is about."""

    version: int
    created_at: datetime
    status: str
    """The invoice's, after the change."""
    resolution: str
    kind: str
    made_by: str
    """Who brought it about: ``merchant``, ``payer``, ``provider``, ``kassa``, or an operator's name."""
    params: dict[str, Any]


_EVENTS: Final = """
SELECT version, created_at, status, resolution, kind, made_by, params FROM invoice_events
WHERE account_id = $1 AND invoice_id = $2 AND version > $3 ORDER BY version LIMIT $4
"""


async def of_invoice(
    executor: Executor, invoice_id: str, *, account_id: str, after: int = 0, limit: int = 1000
) -> list[Happened]:
    """Return what has happened to an invoice, oldest first, from behind the event of number ``after``."""
    records = await executor.fetch(_EVENTS, account_id, invoice_id, after, limit)
    return [Happened(**{**record, "params": msgspec.json.decode(record["params"])}) for record in records]
