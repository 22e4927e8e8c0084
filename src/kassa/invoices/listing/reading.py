"""Reading one page of the list: a few statements at one moment, in the account's view."""

from kassa.db.pool import Connection
from kassa.db.view import account_view
from kassa.errors import BadRequest, NotFound
from kassa.invoices.listing import queries
from kassa.invoices.listing.model import Filters, Page, Place, Walk, stretches
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots as invoices
from kassa.platform import Platform
from kassa.values import Value


class Listed(Value, frozen=True, kw_only=True):
    """A page of invoices, newest first, and whether the list goes on at either end."""

    views: list[Snapshot]
    newer: bool = False
    older: bool = False


async def read(platform: Platform, filters: Filters, page: Page, *, account_id: str) -> Listed:
    """Return a page of the account's invoices.

    Raises ``BadRequest`` for a cursor that is none of the account's invoices, and ``NotFound`` where a ``reference_id``
    was asked for that no invoice of these filters has: merchants take that for "it may be created"
    (contract#private-api).
    """
    reference_id = filters.reference_id
    if reference_id is not None and filters == Filters(reference_id=reference_id) and page.cursor is None:
        return await _status_request(platform, reference_id, page.size, account_id=account_id)
    async with account_view(platform.view, account_id=account_id, whole_tables=False) as connection:
        reading = _Reading(connection, filters, account_id)
        start = await _start(connection, page, account_id=account_id)
        listed = await reading.page(Walk(start=start, newer=page.after is not None), page.size)
        if reference_id is not None and not listed.views and not await reading.leads_on(Walk()):
            raise NotFound
        return listed


async def _status_request(platform: Platform, reference_id: str, size: int, *, account_id: str) -> Listed:
    """Return the invoices of a name alone: merchants ask so whenever a creation got no answer, so it is kept fast."""
    views = await invoices.by_reference_any_mode(platform.pool, reference_id, account_id=account_id)
    if not views:
        raise NotFound
    return Listed(views=views[:size], older=len(views) > size)


async def _start(connection: Connection, page: Page, *, account_id: str) -> Place | None:
    if page.cursor is None:
        return None
    place = await queries.place(connection, page.cursor, account_id=account_id)
    if place is None:
        raise BadRequest("The cursor is not the id of an invoice of this account.")
    return place


class _Reading:
    """One account's list under one choice of filters."""

    def __init__(self, connection: Connection, filters: Filters, account_id: str) -> None:
        self._connection = connection
        self._filters = filters
        self._account_id = account_id

    async def page(self, walk: Walk, size: int) -> Listed:
        found = await self._first(walk, size + 1)
        views, on = found[:size], len(found) > size
        back = await self._leads_back(walk, views)
        if walk.newer:
            return Listed(views=views[::-1], newer=on, older=back)
        return Listed(views=views, newer=back, older=on)

    async def leads_on(self, walk: Walk) -> bool:
        for stretch in stretches(self._filters, walk):
            if await queries.leads_on(self._connection, stretch, walk, account_id=self._account_id):
                return True
        return False

    async def _leads_back(self, walk: Walk, views: list[Snapshot]) -> bool:
        """Whether the list goes on behind the page: the cursor itself may have left it, by a change of its status."""
        if walk.start is None or not views:
            return False
        nearest = views[0].invoice
        place = Place(created_at=nearest.created_at, invoice_id=nearest.invoice_id)
        return await self.leads_on(Walk(start=place, newer=not walk.newer))

    async def _first(self, walk: Walk, limit: int) -> list[Snapshot]:
        views: list[Snapshot] = []
        for stretch in stretches(self._filters, walk):
            views += await queries.page(
                self._connection, stretch, walk, account_id=self._account_id, limit=limit - len(views)
            )
            if len(views) >= limit:
                break
        return views
