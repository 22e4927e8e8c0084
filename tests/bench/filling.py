"""Years of a merchant's invoices, each a copy of one that was really paid, written by the database itself."""

from typing import Final

import asyncpg

from kassa.invoices.tables.payments import COLUMNS as PAYMENT_COLUMNS
from kassa.invoices.tables.snapshots import COLUMNS

# As random as real ones, so that they lie in their indexes as those do; whoever reads makes the same ones again.
_RANDOM: Final = "substr(md5(n::text), 1, 12)"
_AGE: Final = "make_interval(secs => 5000000 - n)"
_NEW: Final = {
    "invoice_id": f"left(s.invoice_id, 8) || {_RANDOM}",
    "payment_id": f"left(s.payment_id, 8) || {_RANDOM}",
    "session_id": f"left(s.session_id, 8) || {_RANDOM}",
    "external_id": f"'bench_' || {_RANDOM}",
    "reference_id": "'order ' || n",
    "created_at": f"s.created_at - {_AGE}",
    "updated_at": f"s.updated_at - {_AGE}",
    "processed_at": f"s.processed_at - {_AGE}",
    "expires_at": f"s.expires_at - {_AGE}",
}


def _copy(table: str, columns: tuple[str, ...]) -> str:
    values = ", ".join(_NEW.get(column, f"s.{column}") for column in columns)
    return f"""
INSERT INTO {table} ({", ".join(columns)})
SELECT {values} FROM {table} s CROSS JOIN generate_series($2::int, $3::int) AS n WHERE s.invoice_id = $1
"""


async def fill(owner: asyncpg.Connection, invoice_id: str, *, first: int, last: int) -> None:
    """Copy a paid invoice and its payment under the numbers from ``first`` to ``last``."""
    definitions = await owner.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('invoices', 'payments')"
        " AND indexdef NOT LIKE '%UNIQUE%'"
    )
    for index in definitions:
        await owner.execute(f"DROP INDEX {index['indexname']}")
    await owner.execute(_copy("invoices", COLUMNS), invoice_id, first, last)
    await owner.execute(_copy("payments", PAYMENT_COLUMNS), invoice_id, first, last)
    for index in definitions:
        await owner.execute(index["indexdef"])
    for table in ("invoices", "payments"):
        await owner.execute(f"VACUUM ANALYZE {table}")
