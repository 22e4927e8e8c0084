"""The callbacks table: one statement a function, each inside one account but for the list of accounts with due work."""

from datetime import datetime

from kassa.callbacks.model import Claim, Listed
from kassa.db.pool import Executor


async def enqueue(
    connection: Executor,
    *,
    account_id: str,
    callback_id: str,
    invoice_id: str,
    test_mode: bool,
    invoice_status: str,
    final: bool,
    url: str,
    body: bytes,
    logged_at: int,
    now: datetime,
    traceparent: str | None,
) -> None:
    """Insert a callback at ``logged_at`` or the next free second; drop the invoice's older ones that wait for a retry.

    A final status is never dropped, nor what was not tried yet or is under way for the first time.
    """
    await connection.execute(
        """
        WITH superseded AS (
            UPDATE callbacks SET status = 'dropped', due_at = NULL
            WHERE account_id = $1 AND invoice_id = $3 AND status = 'pending' AND NOT final AND tried_at IS NOT NULL
        )
        INSERT INTO callbacks (account_id, callback_id, invoice_id, test_mode, invoice_status, final, url, body,
                               logged_at, status, created_at, due_at, traceparent)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, GREATEST($9::bigint, max(logged_at) + 1), 'pending', $10, $10, $11
        FROM callbacks WHERE account_id = $1 AND invoice_id = $3
        """,
        account_id,
        callback_id,
        invoice_id,
        test_mode,
        invoice_status,
        final,
        url,
        body,
        logged_at,
        now,
        traceparent,
    )


async def due_accounts(connection: Executor, *, test_mode: bool, now: datetime) -> list[str]:
    """Return the accounts that have a callback to deliver."""
    # Steps along the index from one account to the next and reads one row of each, however long the backlog is.
    rows = await connection.fetch(
        """
        WITH RECURSIVE earliest AS (
            (SELECT account_id, due_at FROM callbacks
             WHERE test_mode = $1 AND due_at IS NOT NULL
             ORDER BY account_id, due_at LIMIT 1)
            UNION ALL
            SELECT following.account_id, following.due_at
            FROM earliest CROSS JOIN LATERAL (
                SELECT account_id, due_at FROM callbacks
                WHERE test_mode = $1 AND due_at IS NOT NULL AND account_id > earliest.account_id
                ORDER BY account_id, due_at LIMIT 1
            ) AS following
        )
        SELECT account_id FROM earliest WHERE due_at <= $2
        """,
        test_mode,
        now,
    )
    return [row["account_id"] for row in rows]


async def claim(
    connection: Executor, *, account_id: str, test_mode: bool, now: datetime, until: datetime, limit: int
) -> list[Claim]:
    """Take an account's due callbacks, oldest first, until a moment at which they are due again by themselves."""
    rows = await connection.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT callback_id FROM callbacks
            WHERE account_id = $1 AND test_mode = $2 AND due_at <= $3
            ORDER BY due_at, logged_at LIMIT $5
            FOR UPDATE SKIP LOCKED
        )
        UPDATE callbacks AS taken SET due_at = $4, tries = taken.tries + 1
        FROM due WHERE taken.account_id = $1 AND taken.callback_id = due.callback_id
        RETURNING taken.account_id, taken.callback_id, taken.invoice_id, taken.test_mode, taken.url, taken.body,
            taken.logged_at, taken.tries, taken.tried_at, taken.traceparent
        """,
        account_id,
        test_mode,
        now,
        until,
        limit,
    )
    return sorted((Claim(**row) for row in rows), key=lambda claim: claim.logged_at)


async def postpone(connection: Executor, *, account_id: str, callback_id: str, tries: int, due_at: datetime) -> None:
    """Move the moment at which a taken callback is due again, while it is still this owner's."""
    await connection.execute(
        """
        UPDATE callbacks SET due_at = $4
        WHERE account_id = $1 AND callback_id = $2 AND tries = $3 AND status = 'pending'
        """,
        account_id,
        callback_id,
        tries,
        due_at,
    )


async def hand_back(
    connection: Executor, *, account_id: str, callback_id: str, tries: int, tried_at: datetime | None, now: datetime
) -> None:
    """Make a taken callback due now and give its try back, while it is still this owner's and nothing came of it."""
    await connection.execute(
        """
        UPDATE callbacks SET due_at = $5, tries = tries - 1
        WHERE account_id = $1 AND callback_id = $2 AND tries = $3 AND status = 'pending'
            AND tried_at IS NOT DISTINCT FROM $4
        """,
        account_id,
        callback_id,
        tries,
        tried_at,
        now,
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
    done = await connection.fetchval(
        """
        UPDATE callbacks SET status = 'done', due_at = NULL, tried_at = $5, response_code = $4, failure = NULL,
            cause = NULL, answer = $6, milliseconds = $7
        WHERE account_id = $1 AND callback_id = $2 AND tries = $3 AND status IN ('pending', 'dropped')
        RETURNING true
        """,
        account_id,
        callback_id,
        tries,
        response_code,
        now,
        answer,
        milliseconds,
    )
    return done is True


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
    noted = await connection.fetchval(
        """
        UPDATE callbacks SET status = CASE WHEN $6::timestamptz IS NULL THEN 'failed' ELSE 'pending' END, due_at = $6,
            tried_at = $7, response_code = $4, failure = $5, cause = $8, answer = $9, milliseconds = $10
        WHERE account_id = $1 AND callback_id = $2 AND tries = $3 AND status = 'pending'
        RETURNING true
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
    return noted is True


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
    await connection.execute(
        """
        UPDATE callbacks SET status = 'pending', due_at = $4, url = coalesce($3, url)
        WHERE account_id = $1 AND callback_id = $2
        """,
        account_id,
        callback_id,
        url,
        now,
    )
