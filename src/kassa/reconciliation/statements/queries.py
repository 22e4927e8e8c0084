"""Every statement over the rows of providers' statements. Each names its account."""

from datetime import datetime, timedelta
from typing import Final

from kassa.db.pool import Executor
from kassa.providers.protocol import StatementLine
from kassa.reconciliation.model import charged_back_total
from kassa.values import Value

DROPPED_AT_ONCE: Final = 5_000
"""How many rows one statement deletes at most."""
KEPT: Final = timedelta(days=7)
"""How long a line is kept after a run has last seen it: longer than any comparison takes."""


class Books(Value, frozen=True, kw_only=True):
    """Which books are compared, and by which run."""

    account_id: str
    provider_account_id: str
    test_mode: bool
    run: int
    """Greater than that of any comparison of this provider account that began before."""
    takes_unknown: bool
    """Whether entries that are about no payment of the account are compared with this provider account's statement."""


async def begin(connection: Executor, provider_account_id: str, *, account_id: str) -> int:
    """Return the number of a new run of a provider account."""
    found: int = await connection.fetchval(
        "UPDATE provider_accounts SET reconcile_run = reconcile_run + 1"
        " WHERE account_id = $1 AND provider_account_id = $2 RETURNING reconcile_run",
        account_id,
        provider_account_id,
    )
    return found


# In the order of the key, so that two runs beside each other never wait for one another in a circle.
_KEEP: Final = """
INSERT INTO provider_statement_lines AS kept (account_id, provider_account_id, payment_id, movement, ref, external_id,
    test_mode, charged_back_total, amount, currency, booked_at, seen_run, seen_at)
SELECT DISTINCT ON (line.payment_id, line.movement, line.ref, line.external_id)
    $1, $2, line.payment_id, line.movement, line.ref, line.external_id, $3::boolean, line.charged_back_total,
    line.amount, line.currency, line.booked_at, $4::bigint, $13::timestamptz
FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::text[],
            $12::timestamptz[]) AS line (payment_id, movement, ref, external_id, charged_back_total, amount,
                                        currency, booked_at)
LEFT JOIN payments p ON p.account_id = $1 AND p.payment_id = line.payment_id
WHERE p.payment_id IS NULL OR p.provider_account_id = $2
ORDER BY line.payment_id, line.movement, line.ref, line.external_id
ON CONFLICT (account_id, provider_account_id, payment_id, movement, ref, external_id) DO UPDATE
SET charged_back_total = excluded.charged_back_total, amount = excluded.amount, currency = excluded.currency,
    booked_at = excluded.booked_at, seen_run = excluded.seen_run, seen_at = excluded.seen_at
WHERE kept.seen_run <= excluded.seen_run
"""


async def keep(connection: Executor, books: Books, lines: list[StatementLine], *, seen_at: datetime) -> int:
    """Keep lines of a statement as a run has read them; return how many are of this provider account's payments.

    A later run that is under way meanwhile wins: what it has read is not written over.
    """
    done: str = await connection.execute(
        _KEEP,
        books.account_id,
        books.provider_account_id,
        books.test_mode,
        books.run,
        [line.payment_id for line in lines],
        [line.movement for line in lines],
        [line.ref for line in lines],
        [line.external_id for line in lines],
        [charged_back_total(line) for line in lines],
        [line.amount for line in lines],
        [line.currency for line in lines],
        [line.booked_at for line in lines],
        seen_at,
    )
    return int(done.rpartition(" ")[2])


_DROP: Final = """
DELETE FROM provider_statement_lines l
WHERE l.account_id = $1 AND l.provider_account_id = $2 AND l.ctid = ANY(ARRAY(
    SELECT old.ctid FROM provider_statement_lines old
    WHERE old.account_id = $1 AND old.provider_account_id = $2 AND old.booked_at < $3
      AND old.seen_at < $4
    LIMIT $5))
"""


async def drop(connection: Executor, books: Books, *, booked_before: datetime, seen_before: datetime) -> None:
    """Drop the lines whose comparisons have all ended, a batch at a time."""
    dropped = DROPPED_AT_ONCE
    while dropped == DROPPED_AT_ONCE:
        done: str = await connection.execute(
            _DROP, books.account_id, books.provider_account_id, booked_before, seen_before, DROPPED_AT_ONCE
        )
        dropped = int(done.rpartition(" ")[2])
