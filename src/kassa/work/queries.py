"""The statements of due work, once for every table: each of a claim names its account, a search does not.

They are put together from a queue's description; no value is part of a statement.
"""

from collections.abc import Sequence

from kassa.db.queries import OBSERVED
from kassa.work.queue import LOOK_MAX, Queue


def poll_statement(probes: Sequence[str]) -> str:
    """Return a statement of the moments of live and of test mode, which asks all probes."""
    # The condition is there for the parameter, which not every choice of queues has a use for.
    return f"SELECT {OBSERVED}, ARRAY[{', '.join(probes)}]::boolean[] AS due WHERE $1::timestamptz[] IS NOT NULL"


def probe(queue: Queue, *, test_mode: bool) -> str:
    """Return an expression that says whether anything is due; ``$1`` is the moment of live and of test mode."""
    mode = _mode(queue, test_mode=test_mode)
    if queue.due is None:
        return f"EXISTS (SELECT FROM {queue.table} WHERE {mode})"
    # Ordered, and compared outside: the planner has no reason to read more than the first entry of an index by time.
    first = f"SELECT {queue.due} FROM {queue.table} WHERE {mode} AND {queue.due} IS NOT NULL ORDER BY 1 LIMIT 1"
    return f"({first}) <= ($1::timestamptz[])[{2 if test_mode and queue.of_mode else 1}]"


def accounts_statement(queue: Queue, *, test_mode: bool) -> str:
    """Return a statement of now and of accounts that are left out, over what has been due the longest."""
    if queue.due is None:
        return _accounts_at_once(queue, test_mode=test_mode)
    return f"""
    SELECT DISTINCT account_id FROM (
        SELECT account_id FROM {queue.table}
        WHERE {_mode(queue, test_mode=test_mode)} AND {queue.due} <= $1 AND account_id <> ALL($2::text[])
        ORDER BY {queue.due} LIMIT {LOOK_MAX}
    ) AS longest
    """


def _accounts_at_once(queue: Queue, *, test_mode: bool) -> str:
    """Return the same of a table whose rows are all due, by steps along an index of accounts and their modes."""
    rows = f"SELECT account_id, test_mode FROM {queue.table}"
    first = "ORDER BY account_id, test_mode LIMIT 1"
    further = "(account_id, test_mode) > (earliest.account_id, earliest.test_mode)"
    return f"""
    WITH RECURSIVE earliest AS (
        ({rows} {first})
        UNION ALL
        SELECT following.account_id, following.test_mode
        FROM earliest CROSS JOIN LATERAL ({rows} WHERE {further} {first}) AS following
    )
    SELECT account_id FROM earliest
    WHERE test_mode = {_sql(test_mode)} AND account_id <> ALL($2::text[]) AND $1::timestamptz IS NOT NULL
    """


def claim_statement(queue: Queue) -> str:
    """Return a statement of the account, the mode, now, the end of the lease and a limit."""
    keys = ", ".join(queue.key)
    order = ", ".join((str(queue.due), *queue.then_by))
    counted = f", {queue.counter} = taken.{queue.counter} + 1" if queue.counter else ""
    same = " AND ".join(f"taken.{column} = due.{column}" for column in queue.key)
    return f"""
    WITH due AS MATERIALIZED (
        SELECT {keys} FROM {queue.table}
        WHERE account_id = $1 AND test_mode = $2 AND {queue.due} <= $3
        ORDER BY {order} LIMIT $5 FOR UPDATE SKIP LOCKED
    )
    UPDATE {queue.table} AS taken SET {queue.due} = $4{counted}
    FROM due WHERE taken.account_id = $1 AND {same}
    RETURNING taken.*
    """


def renew_statement(queue: Queue) -> str:
    """Return a statement of the account, the fence, the moment that takes its place, and the key."""
    return f"UPDATE {queue.table} SET {queue.due} = $3 WHERE {_fenced(queue)}"


def release_statement(queue: Queue) -> str:
    """Return the same for work that was not done: its claim does not count."""
    counted = f", {queue.counter} = {queue.counter} - 1" if queue.counter else ""
    return f"UPDATE {queue.table} SET {queue.due} = $3{counted} WHERE {_fenced(queue)}"


def _fenced(queue: Queue) -> str:
    keys = "".join(f" AND {column} = ${number}" for number, column in enumerate(queue.key, 4))
    return f"account_id = $1 AND {queue.due} = $2{keys}"


def _mode(queue: Queue, *, test_mode: bool) -> str:
    return f"test_mode = {_sql(test_mode)}" if queue.of_mode else "true"


def _sql(value: bool) -> str:  # noqa: FBT001  # a literal of SQL
    return "true" if value else "false"
