"""Listeners and their copies: one statement a function, each inside one account."""

from collections.abc import Sequence
from datetime import datetime

from kassa.callbacks.listeners.model import Copy, Listener
from kassa.db.pool import Executor


async def insert(
    connection: Executor, *, account_id: str, listener_id: str, test_mode: bool, now: datetime, until: datetime
) -> Listener:
    """Open a lease, or renew the one of this id."""
    (row,) = await connection.fetch(
        """
        INSERT INTO callback_listeners (account_id, listener_id, test_mode, created_at, leased_until)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account_id, listener_id) DO UPDATE SET leased_until = excluded.leased_until
        RETURNING listener_id, test_mode, leased_until
        """,
        account_id,
        listener_id,
        test_mode,
        now,
        until,
    )
    return Listener(**row)


async def end_others(connection: Executor, *, account_id: str, test_mode: bool, most: int) -> None:
    """Delete leases of an account and mode but for those that were renewed last."""
    await connection.execute(
        """
        DELETE FROM callback_listeners WHERE account_id = $1 AND listener_id IN (
            SELECT listener_id FROM callback_listeners WHERE account_id = $1 AND test_mode = $2
            ORDER BY leased_until DESC, listener_id OFFSET $3)
        """,
        account_id,
        test_mode,
        most,
    )


async def renew(
    connection: Executor, *, account_id: str, listener_id: str, now: datetime, until: datetime
) -> Listener | None:
    """Renew a lease that lives; None for any other."""
    row = await connection.fetchrow(
        """
        UPDATE callback_listeners SET leased_until = $4
        WHERE account_id = $1 AND listener_id = $2 AND leased_until > $3
        RETURNING listener_id, test_mode, leased_until
        """,
        account_id,
        listener_id,
        now,
        until,
    )
    return Listener(**row) if row else None


async def copy_again(connection: Executor, *, account_id: str, callback_id: str) -> None:
    """Add a callback that was made before."""
    await connection.execute(
        """
        INSERT INTO callback_copies (account_id, listener_id, callback_id, invoice_id, invoice_status, body)
        SELECT l.account_id, l.listener_id, c.callback_id, c.invoice_id, c.invoice_status, c.body
        FROM callbacks c JOIN callback_listeners l USING (account_id, test_mode)
        WHERE c.account_id = $1 AND c.callback_id = $2
        ON CONFLICT DO NOTHING
        """,
        account_id,
        callback_id,
    )


async def copies(connection: Executor, *, account_id: str, listener_id: str, limit: int) -> list[Copy]:
    """Return what a listener has not got yet, oldest first."""
    rows = await connection.fetch(
        """
        SELECT callback_id, invoice_id, invoice_status, body, created_at FROM callback_copies
        WHERE account_id = $1 AND listener_id = $2
        ORDER BY created_at, callback_id LIMIT $3
        """,
        account_id,
        listener_id,
        limit,
    )
    return [Copy(**row) for row in rows]


async def received(connection: Executor, *, account_id: str, listener_id: str, callback_ids: Sequence[str]) -> None:
    """Delete copies that their listener has."""
    await connection.execute(
        "DELETE FROM callback_copies WHERE account_id = $1 AND listener_id = $2 AND callback_id = ANY($3::text[])",
        account_id,
        listener_id,
        list(callback_ids),
    )


async def forget(connection: Executor, *, account_id: str, now: datetime) -> int:
    """Delete an account's leases that are over, with their copies, and return how many there were."""
    rows = await connection.fetch(
        "DELETE FROM callback_listeners WHERE account_id = $1 AND leased_until <= $2 RETURNING listener_id",
        account_id,
        now,
    )
    return len(rows)
