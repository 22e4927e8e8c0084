"""A page of the list as merchants see it (contract#private-api)."""

import msgspec

from kassa.accounts.model import Account
from kassa.customers.document import CustomerResource, resource
from kassa.invoices.document import building as document
from kassa.invoices.document import wire
from kassa.invoices.document.shapes import Wire
from kassa.invoices.listing.reading import Listed
from kassa.platform import Platform

PATH = "/api/payment-invoices"


class ListMeta(Wire, frozen=True, kw_only=True):
    """The page's size and its ends, as cursors; empty texts where nothing is listed."""

    count: int
    """How many invoices are on this page."""
    size: int
    """How many there may be."""
    before: str
    """The oldest one's id: ``page[before]`` of it are older ones."""
    after: str
    """The newest one's id."""


class ListLinks(Wire, frozen=True, kw_only=True):
    """Where the list goes on, relative to the host; empty texts where it does not."""

    prev: str
    """Newer invoices."""
    next: str
    """Older ones."""


class ListDocument(Wire, frozen=True, kw_only=True):
    """A page of invoices, newest first."""

    meta: ListMeta
    links: ListLinks
    data: list[wire.Resource]
    included: list[CustomerResource] | msgspec.UnsetType = msgspec.UNSET


def listed(
    platform: Platform, account: Account, page: Listed, *, size: int, kept: str, include_customer: bool
) -> ListDocument:
    """Return the document of a page. Its links end with ``kept``: nothing, or &, and more of the query."""
    data = [document.private(platform, account, view).data for view in page.views]
    after, before = (data[0].id, data[-1].id) if data else ("", "")
    return ListDocument(
        meta=ListMeta(count=len(data), size=size, before=before, after=after),
        links=ListLinks(
            prev=f"{PATH}?page[after]={after}&page[size]={size}{kept}" if page.newer else "",
            next=f"{PATH}?page[before]={before}&page[size]={size}{kept}" if page.older else "",
        ),
        data=data,
        included=_customers(page) if include_customer else msgspec.UNSET,
    )


def _customers(page: Listed) -> list[CustomerResource]:
    """Return each customer of the page once, in the page's order."""
    customers = {view.customer.customer_id: view.customer for view in page.views if view.customer}
    return [resource(customer) for customer in customers.values()]
