"""Reading one page of the journal, and whether it goes on at either end, at one moment."""

from msgspec.structs import replace

from kassa.db.pool import Connection
from kassa.ledger import queries as ledger
from kassa.ledger.listing import queries
from kassa.ledger.listing.model import Filters, Listed, Page
from kassa.ledger.queries import Line
from kassa.values import Value


class Found(Value, frozen=True, kw_only=True):
    """A page of entries, newest first, and whether the list goes on at either end."""

    entries: list[Listed]
    newer: bool
    older: bool


async def read(connection: Connection, filters: Filters, page: Page, *, account_id: str) -> Found:
    """Return a page of the account's journal; entries appear there within a second of their booking.

    Run it in the account's view (``db.view.account_view``).
    """
    found = await queries.page(connection, filters, page, account_id=account_id, limit=page.size + 1)
    lines, on = found[: page.size], len(found) > page.size
    back = await _leads_back(connection, filters, page, lines, account_id=account_id)
    upwards = page.after is not None
    if upwards:
        lines.reverse()
    return Found(
        entries=await listed(connection, lines, account_id=account_id),
        newer=on if upwards else back,
        older=back if upwards else on,
    )


async def listed(connection: Connection, lines: list[Line], *, account_id: str) -> list[Listed]:
    """Return the entries of lines, in their order; those whose rows were removed are left out."""
    entries = await ledger.of_entries(connection, [line.entry_id for line in lines], account_id=account_id)
    return [
        Listed(number=line.number, posted=posted, balances=ledger.balances_from(line.balances))
        for line in lines
        if (posted := entries.get(line.entry_id)) is not None
    ]


async def _leads_back(
    connection: Connection, filters: Filters, page: Page, lines: list[Line], *, account_id: str
) -> bool:
    """Whether the list goes on behind the page, on the side that the walk came from."""
    if not lines or (page.before is None and page.after is None):
        return False
    nearest = lines[0].number
    back = Page(before=nearest) if page.after is not None else Page(after=nearest)
    return bool(await queries.page(connection, filters, replace(back, size=1), account_id=account_id, limit=1))
