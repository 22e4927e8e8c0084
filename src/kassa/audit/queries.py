"""SQL over accounts' history: one statement a function."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kassa.audit.model import AccountEvent, Change, Members
from kassa.db.pool import Executor


async def insert_events(
    executor: Executor, changes: Sequence[Change], *, account_id: str, changed_by: str, changed_at: datetime
) -> None:
    """Add events to an account's history, in their order."""
    await executor.execute(
        """
        INSERT INTO account_events (account_id, kind, subject_id, before, after, changed_by, changed_at)
        SELECT $1, given.kind, given.subject_id, given.before, given.after, $6, $7
        FROM unnest($2::text[], $3::text[], $4::json[], $5::json[])
            WITH ORDINALITY AS given (kind, subject_id, before, after, position)
        ORDER BY given.position
        """,
        account_id,
        [each.kind for each in changes],
        [each.subject_id for each in changes],
        [_encoded(each.before) for each in changes],
        [_encoded(each.after) for each in changes],
        changed_by,
        changed_at,
    )


async def events(executor: Executor, *, account_id: str, limit: int) -> list[AccountEvent]:
    """Return the last events of an account's history, newest first."""
    rows = await executor.fetch(
        """
        SELECT account_id, event_id, kind, subject_id, before, after, changed_by, changed_at FROM account_events
        WHERE account_id = $1
        ORDER BY event_id DESC
        LIMIT $2
        """,
        account_id,
        limit,
    )
    return [AccountEvent(**{**row, "before": _decoded(row["before"]), "after": _decoded(row["after"])}) for row in rows]


def _encoded(members: Members | None) -> str | None:
    return None if members is None else msgspec.json.encode(members).decode()


def _decoded(text: str | None) -> dict[str, object] | None:
    return None if text is None else msgspec.json.decode(text, type=dict[str, object])
