"""The callbacks table: one statement a function, each inside one account."""

from datetime import datetime

from kassa.callbacks.model import Listed
from kassa.db.pool import Executor
from kassa.db.statement import Statement, write
from kassa.values import Value


class Queued(Value, frozen=True, kw_only=True):
    """A callback that is queued with the change that it is about."""

    callback_id: str
    invoice_id: str
    test_mode: bool
    invoice_status: str
    final: bool
    url: str | None
    """Where it is delivered; None where only listeners get it."""
    body: bytes
    logged_at: int
    """Unix seconds; of an invoice's callbacks no two have the same."""
    now: datetime
    listened: bool
    """Whether the account has listeners, who get a copy."""
    traceparent: str | None


_COLUMNS = (
    *("callback_id", "invoice_id", "test_mode", "invoice_status", "final", "url", "body", "logged_at", "status"),
    *("created_at", "due_at", "traceparent"),
)


def add(statement: Statement, queued: Queued) -> None:
    """Let a statement queue a callback, and drop the invoice's older ones that wait for a retry.

    A final status is never dropped, nor what was not tried yet or is in progress for the first time.
    """
    if queued.listened:
        _add_copies(statement, queued)
    if queued.url is None:
        return
    statement.add(
        "UPDATE callbacks SET status = 'dropped', due_at = NULL WHERE account_id = $1"
        f" AND invoice_id = {statement.value(queued.invoice_id)}"
        " AND status = 'pending' AND NOT final AND tried_at IS NOT NULL"
    )
    row = (
        *(queued.callback_id, queued.invoice_id, queued.test_mode, queued.invoice_status, queued.final, queued.url),
        *(queued.body, queued.logged_at, "pending", queued.now, queued.now, queued.traceparent),
    )
    statement.insert("callbacks", _COLUMNS, row)


def _add_copies(statement: Statement, queued: Queued) -> None:
    wanted = (queued.callback_id, queued.invoice_id, queued.invoice_status)
    values = [f"{statement.value(value)}::text" for value in wanted]
    body, mode = statement.value(queued.body), statement.value(queued.test_mode)
    statement.add(
        "INSERT INTO callback_copies (account_id, listener_id, callback_id, invoice_id, invoice_status, body)"
        f" SELECT account_id, listener_id, {', '.join(values)}, {body}::bytea FROM callback_listeners"
        f" WHERE account_id = $1 AND test_mode = {mode} ON CONFLICT DO NOTHING"
    )


async def mark_done(
    connection: Executor,
    *,
    account_id: str,
    callback_id: str,
    tries: int,
    response_code: int,
    answer: str | None,
    milliseconds: int,
    now: datetime,
) -> bool:
    """Mark a callback as delivered, though it was dropped for a newer one while it was under way; False: not ours."""
    rows = await write(
        connection,
        """
        UPDATE callbacks SET status = 'done', due_at = NULL, tried_at = $5, response_code = $4, failure = NULL,
            cause = NULL, answer = $6, milliseconds = $7
        WHERE account_id = $1 AND callback_id = $2 AND tries = $3 AND status IN ('pending', 'dropped')
        """,
        account_id,
        callback_id,
        tries,
        response_code,
        now,
        answer,
        milliseconds,
    )
    return rows == 1


async def mark_failed(
    connection: Executor,
    *,
    account_id: str,
    callback_id: str,
    tries: int,
    response_code: int | None,
    failure: str,
    cause: str | None,
    answer: str | None,
    milliseconds: int,
    due_at: datetime | None,
    now: datetime,
) -> bool:
    """Note a try that failed; the callback waits until ``due_at``, or is given up where that is None.

    Returns False where it is no longer this owner's, and nothing was written.
    """
    rows = await write(
        connection,
        """
        UPDATE callbacks SET status = CASE WHEN $6::timestamptz IS NULL THEN 'failed' ELSE 'pending' END, due_at = $6,
            tried_at = $7, response_code = $4, failure = $5, cause = $8, answer = $9, milliseconds = $10
        WHERE account_id = $1 AND callback_id = $2 AND tries = $3 AND status = 'pending'
        """,
        account_id,
        callback_id,
        tries,
        response_code,
        failure,
        due_at,
        now,
        cause,
        answer,
        milliseconds,
    )
    return rows == 1


async def listed(
    connection: Executor,
    *,
    account_id: str,
    invoice_id: str | None = None,
    callback_id: str | None = None,
    failed: bool = False,
    limit: int,
) -> list[Listed]:
    """Return an account's callbacks, newest first: all, those of an invoice, one, those whose last try failed."""
    rows = await connection.fetch(
        """
        SELECT callback_id, invoice_id, test_mode, invoice_status, url, status, tries, created_at, tried_at,
            response_code, failure, cause, milliseconds, answer, due_at
        FROM callbacks
        WHERE account_id = $1 AND ($2::text IS NULL OR invoice_id = $2)
            AND (NOT $3::boolean OR (failure IS NOT NULL AND status IN ('pending', 'failed')))
            AND ($5::text IS NULL OR callback_id = $5)
        ORDER BY logged_at DESC, callback_id
        LIMIT $4
        """,
        account_id,
        invoice_id,
        failed,
        limit,
        callback_id,
    )
    return [Listed(**row) for row in rows]


async def mode(connection: Executor, *, account_id: str, callback_id: str) -> bool | None:
    """Return whether a callback is of test mode, None where there is none."""
    found: bool | None = await connection.fetchval(
        "SELECT test_mode FROM callbacks WHERE account_id = $1 AND callback_id = $2", account_id, callback_id
    )
    return found


async def resend(connection: Executor, *, account_id: str, callback_id: str, url: str | None, now: datetime) -> None:
    """Make a callback due now, whatever came of it, where it went or at another address."""
    await write(
        connection,
        """
        UPDATE callbacks SET status = 'pending', due_at = $4, url = coalesce($3, url)
        WHERE account_id = $1 AND callback_id = $2
        """,
        account_id,
        callback_id,
        url,
        now,
    )
