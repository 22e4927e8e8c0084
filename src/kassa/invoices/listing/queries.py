"""The list's statements, composed from what is asked: run in an account's view only, behind row-level security.

The indexes that serve them are in ``0003_invoices``. Values are always parameters.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from kassa.db.pool import Connection
from kassa.invoices.listing.model import Filters, Place, Stretch, Walk
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables.snapshots import selected, snapshot

_EQUAL: Final = ("reference_id", "status", "resolution", "moderation_required", "service", "currency")


class Statement(NamedTuple):
    """A statement and the values of its parameters."""

    text: str
    values: list[object]


async def place(connection: Connection, invoice_id: str, *, account_id: str) -> Place | None:
    """Return an invoice's place in its account's list, or None for one that is not there."""
    created_at = await connection.fetchval(
        "SELECT created_at FROM invoices WHERE account_id = $1 AND invoice_id = $2", account_id, invoice_id
    )
    return None if created_at is None else Place(created_at=created_at, invoice_id=invoice_id)


async def page(connection: Connection, stretch: Stretch, walk: Walk, *, account_id: str, limit: int) -> list[Snapshot]:
    """Return the first invoices of a stretch in the order of the walk, each with all that its document shows."""
    statement = page_statement(stretch, walk, account_id=account_id, limit=limit)
    return [snapshot(record) for record in await connection.fetch(statement.text, *statement.values)]


async def leads_on(connection: Connection, stretch: Stretch, walk: Walk, *, account_id: str) -> bool:
    """Return whether a walk finds any invoice in a stretch."""
    text, values = _first(stretch, walk, account_id=account_id, limit=1, columns="1")
    return await connection.fetchval(text, *values) is not None


def page_statement(stretch: Stretch, walk: Walk, *, account_id: str, limit: int) -> Statement:
    """Return the statement of ``page``: the page is found first, and only for its rows is anything joined."""
    text, values = _first(stretch, walk, account_id=account_id, limit=limit, columns="*")
    return Statement(f"{selected(f'({text})')} ORDER BY {_order(walk, 'i.')}", values)


def _first(stretch: Stretch, walk: Walk, *, account_id: str, limit: int, columns: str) -> Statement:
    """Return the statement that finds a page: each mode has its own walk along an index, and the two are merged."""
    values: list[object] = [account_id]
    within = _and(_bounds(stretch.filters, walk), values)
    equal = _and(((f"{name} =", getattr(stretch.filters, name)) for name in _EQUAL), values)
    end = f"ORDER BY {_order(walk)} LIMIT {limit:d}"
    modes = (False, True) if stretch.filters.test_mode is None else (stretch.filters.test_mode,)
    walks = []
    for mode in modes:
        found = f"SELECT * FROM invoices WHERE account_id = $1 AND test_mode = {'true' if mode else 'false'}{within}"
        if stretch.by_update:
            # The fence leaves the planner one index: it knows nothing that would show it which filter is rare here.
            found = f"SELECT * FROM ({found} OFFSET 0) AS updated WHERE true"
        walks.append(f"({found}{equal} {end})")
    return Statement(f"SELECT {columns} FROM ({' UNION ALL '.join(walks)}) AS listed {end}", values)


def _and(conditions: Iterator[tuple[str, object]], values: list[object]) -> str:
    """Return conditions on a row, but for those with nothing to hold it against; ``values`` takes in the others'."""
    texts = []
    for comparison, value in conditions:
        if isinstance(value, Place):
            values += [value.created_at, value.invoice_id]
            texts.append(f" AND {comparison} (${len(values) - 1}, ${len(values)})")
        elif value is not None:
            values.append(value)
            texts.append(f" AND {comparison} ${len(values)}")
    return "".join(texts)


def _bounds(filters: Filters, walk: Walk) -> Iterator[tuple[str, object]]:
    start, begin, end = walk.start, filters.created_from, filters.created_until
    yield "updated_at >=", filters.updated_from
    yield "updated_at <", filters.updated_until
    # One bound for each side: from two, an index scan would begin at the wrong one.
    if start is not None and walk.newer and (begin is None or begin <= start.created_at):
        begin = None
        yield "(created_at, invoice_id) >", start
    if start is not None and not walk.newer and (end is None or end > start.created_at):
        end = None
        yield "(created_at, invoice_id) <", start
    yield "created_at >=", begin
    yield "created_at <", end


def _order(walk: Walk, alias: str = "") -> str:
    direction = "ASC" if walk.newer else "DESC"
    return f"{alias}created_at {direction}, {alias}invoice_id {direction}"
