"""The journal's list, composed from what is asked: run in an account's view only, behind row-level security.

A page is a walk along the journal's key, for the numbers have no gaps. An invoice's entries and a range of creation
have an index each; ledger account and currency are looked up entry by entry. Values are always parameters.
"""

from collections.abc import Iterator
from typing import Final

from kassa.db.pool import Connection
from kassa.ledger.listing.model import Filters, Page
from kassa.ledger.queries import Line

_COLUMNS: Final = "j.number, j.entry_id, j.created_at, j.hash, j.balances"


async def page(connection: Connection, filters: Filters, page: Page, *, account_id: str, limit: int) -> list[Line]:
    """Return the first lines next to the page's cursor, in the order of the walk: upwards only after a cursor."""
    values: list[object] = [account_id, filters.test_mode, limit]
    conditions = "".join(f" AND {condition}" for condition in _conditions(filters, page, values))
    direction = "DESC" if page.after is None else "ASC"
    text = (
        f"SELECT {_COLUMNS} FROM ledger_journal j WHERE j.account_id = $1 AND j.test_mode = $2{conditions}"
        f" ORDER BY j.number {direction} LIMIT $3"
    )
    return [Line(**record) for record in await connection.fetch(text, *values)]


def _conditions(filters: Filters, page: Page, values: list[object]) -> Iterator[str]:
    def place(value: object) -> str:
        values.append(value)
        return f"${len(values)}"

    if page.before is not None:
        yield f"j.number < {place(page.before)}"
    if page.after is not None:
        yield f"j.number > {place(page.after)}"
    if filters.created_from is not None:
        yield f"j.created_at >= {place(filters.created_from)}"
    if filters.created_until is not None:
        yield f"j.created_at < {place(filters.created_until)}"
    if filters.invoice_id is not None:
        invoice = place(filters.invoice_id)
        yield (
            "j.entry_id IN (SELECT t.entry_id FROM ledger_transfers t"
            f" WHERE t.account_id = $1 AND t.invoice_id = {invoice})"
        )
    moved = []
    if filters.ledger_account is not None:
        touched = place(filters.ledger_account)
        moved.append(f" AND {touched} IN (t.debit, t.credit)")
    if filters.currency is not None:
        moved.append(f" AND t.currency = {place(filters.currency)}")
    if moved:
        yield (
            "EXISTS (SELECT FROM ledger_transfers t"
            f" WHERE t.account_id = $1 AND t.entry_id = j.entry_id{''.join(moved)})"
        )
