"""The private API's ledger: the account's entries as the journal orders them. Ours: none of this family shows it."""

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from kassa import ids, money
from kassa.api import auth
from kassa.api.description.operation import Answer, Caller, Operation, Parameter
from kassa.api.query import flag, lists, moment, whole, wrong
from kassa.db.view import account_view
from kassa.errors import BadRequest
from kassa.invoices.document.shapes import Amount, Reference, Relation, Wire
from kassa.jsonapi.answers import answer
from kassa.ledger.listing import reading
from kassa.ledger.listing.model import SIZE_DEFAULT, SIZE_MAX, Filters, Listed, Page
from kassa.ledger.listing.reading import Found
from kassa.ledger.model import Balances, LedgerAccount, Transfer
from kassa.platform import Platform
from kassa.values import Value

PATH: Final = "/api/ledger-entries"

_PAGE: Final = frozenset({"page[before]", "page[after]", "page[size]"})
_FILTERS: Final = frozenset(
    {"filter[test_mode]", "filter[ledger_account]", "filter[currency]", "filter[invoice]"}
    | {"filter[created][from]", "filter[created][to]"}
)
_NUMBER_MAX: Final = 10**18


class Move(Wire, frozen=True, kw_only=True):
    """One movement: the debit side and the credit side of one amount."""

    debit: LedgerAccount
    credit: LedgerAccount
    amount: Amount
    currency: str


class EntryAttributes(Wire, frozen=True, kw_only=True):
    """One business fact in the books."""

    number: int
    """Its place in the account's journal of this mode, from 1 and without gaps."""
    recipe: str
    """What happened: ``processed``, ``refunded``, ``charged_back`` …"""
    test_mode: bool
    created: int
    """Unix seconds."""
    transfers: list[Move]
    balances: dict[str, dict[str, Amount]]
    """What each ledger account holds after this entry, by ledger account and currency."""


class EntryRelationships(Wire, frozen=True, kw_only=True):
    """The invoice that the entry belongs to, if any."""

    payment_invoice: Relation = msgspec.field(name="payment-invoice")


class EntryResource(Wire, frozen=True, kw_only=True):
    """An entry as a JSON:API resource."""

    type: str = "ledger-entries"
    id: str
    """The fact's name, such as ``processed:pay_…``: a fact is booked once."""
    attributes: EntryAttributes
    relationships: EntryRelationships


class EntriesMeta(Wire, frozen=True, kw_only=True):
    """The page's size and its ends, as cursors; empty texts where nothing is listed."""

    count: int
    """How many entries are on this page."""
    size: int
    """How many there may be."""
    before: str
    """The oldest one's number: ``page[before]`` of it are older ones."""
    after: str
    """The newest one's number."""


class EntriesLinks(Wire, frozen=True, kw_only=True):
    """Where the list goes on, relative to the host; empty texts where it does not."""

    prev: str
    """Newer entries."""
    next: str
    """Older ones."""


class EntryList(Wire, frozen=True, kw_only=True):
    """A page of entries, newest first."""

    meta: EntriesMeta
    links: EntriesLinks
    data: list[EntryResource]


class Asked(Value, frozen=True, kw_only=True):
    """What a query asks for."""

    filters: Filters
    page: Page
    kept: str
    """All of it but the page, to go on into links."""


# An empty value counts as an absent one.
_MOMENT: Final = {"type": "string", "pattern": r"^(\d{1,11}|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*|)$"}
_CURSOR: Final = {"type": "integer", "minimum": 1, "maximum": _NUMBER_MAX}


def _parameter(name: str, description: str, **schema: Any) -> Parameter:
    return Parameter(name=name, description=description, schema=schema)


LIST_ENTRIES: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="List ledger entries, newest first",
    description="What happened to the account's money, as double entries, in one mode at a time. An entry is listed"
    " within a second of its booking and never changes. Numbers have no gaps, so a client that reads on with"
    " ``page[after]`` from the last number it knows misses nothing.",
    parameters=(
        _parameter(
            "filter[test_mode]",
            "True for test mode; live mode otherwise. May also be written ``test_mode``.",
            type="boolean",
        ),
        _parameter(
            "filter[ledger_account]",
            "Entries that moved money of this ledger account.",
            enum=[each.value for each in LedgerAccount],
        ),
        _parameter(
            "filter[currency]",
            "Entries in this currency; together with ``filter[ledger_account]``, of that one in this currency.",
            type="string",
        ),
        _parameter("filter[invoice]", "Entries of one invoice.", type="string", pattern="^(cpi_[A-Za-z0-9]{16}|)$"),
        _parameter("filter[created][from]", "Booked at or after: unix seconds or ISO 8601.", **_MOMENT),
        _parameter("filter[created][to]", "Booked at or before.", **_MOMENT),
        _parameter("page[before]", "Only entries with smaller numbers.", **_CURSOR),
        _parameter("page[after]", "Only entries with greater numbers; not together with ``page[before]``.", **_CURSOR),
        _parameter(
            "page[size]", "Entries on a page.", type="integer", minimum=1, maximum=SIZE_MAX, default=SIZE_DEFAULT
        ),
    ),
    answers=(Answer(type=EntryList, description="A page of entries."),),
    errors=(HTTPStatus.BAD_REQUEST,),
)


class Entries:
    """The handler of ``/ledger-entries``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def page(self, request: Request) -> Response:
        """GET: a page of the journal."""
        account = await auth.private_account(self._platform, request)
        asked = read(request.query_params, tag=account.tag)
        async with account_view(self._platform.view, account_id=account.account_id) as connection:
            found = await reading.read(connection, asked.filters, asked.page, account_id=account.account_id)
        return answer(_document(found, asked))


def read(query: QueryParams, *, tag: str) -> Asked:
    """Return what the query asks of the journal of the account with this tag; an empty value is an absent one.

    Raises ``BadRequest`` for a filter or a page that cannot be.
    """
    given = {name: value for name, value in lists(query, _FILTERS | _PAGE).items() if value}
    before = whole(given, "page[before]", most=_NUMBER_MAX)
    after = whole(given, "page[after]", most=_NUMBER_MAX)
    if before is not None and after is not None:
        raise BadRequest("The query has both page[before] and page[after].")
    kept = {name: value for name, value in given.items() if name not in _PAGE}
    return Asked(
        filters=Filters(
            test_mode=flag(given, "filter[test_mode]") or False,
            ledger_account=_ledger_account(given.get("filter[ledger_account]")),
            currency=_text(given.get("filter[currency]")),
            invoice_id=_invoice_id(given.get("filter[invoice]"), tag),
            created_from=moment(given, "filter[created][from]"),
            created_until=moment(given, "filter[created][to]", seconds=1),
        ),
        page=Page(before=before, after=after, size=whole(given, "page[size]", most=SIZE_MAX) or SIZE_DEFAULT),
        kept="".join(f"&{name}={quote(value, safe='')}" for name, value in kept.items()),
    )


def _ledger_account(value: str | None) -> LedgerAccount | None:
    if value is not None and value not in set(LedgerAccount):
        raise wrong("filter[ledger_account]", f"be one of {', '.join(LedgerAccount)}")
    return None if value is None else LedgerAccount(value)


def _text(value: str | None) -> str | None:
    if value is not None and "\x00" in value:
        raise wrong("filter[currency]", "hold printable text")
    return value


def _invoice_id(value: str | None, tag: str) -> str | None:
    if value is not None and ids.tag_of(value, "cpi") != tag:
        raise wrong("filter[invoice]", "be the id of an invoice of this account")
    return value


def _document(found: Found, asked: Asked) -> EntryList:
    numbers = [entry.number for entry in found.entries]
    after, before = (str(numbers[0]), str(numbers[-1])) if numbers else ("", "")
    size, kept = asked.page.size, asked.kept
    return EntryList(
        meta=EntriesMeta(count=len(numbers), size=size, before=before, after=after),
        links=EntriesLinks(
            prev=f"{PATH}?page[after]={after}&page[size]={size}{kept}" if found.newer else "",
            next=f"{PATH}?page[before]={before}&page[size]={size}{kept}" if found.older else "",
        ),
        data=[_resource(entry) for entry in found.entries],
    )


def _resource(entry: Listed) -> EntryResource:
    first = entry.posted.rows[0]
    invoice = Reference(type="payment-invoices", id=first.invoice_id) if first.invoice_id else None
    return EntryResource(
        id=entry.posted.entry_id,
        attributes=EntryAttributes(
            number=entry.number,
            recipe=first.recipe,
            test_mode=first.test_mode,
            created=int(first.created_at.timestamp()),
            transfers=[_move(transfer) for transfer in entry.posted.transfers],
            balances=_balances(entry.balances),
        ),
        relationships=EntryRelationships(payment_invoice=Relation(data=invoice)),
    )


def _move(transfer: Transfer) -> Move:
    amount = _amount(transfer.amount, transfer.currency)
    return Move(debit=transfer.debit, credit=transfer.credit, amount=amount, currency=transfer.currency)


def _balances(balances: Balances) -> dict[str, dict[str, Amount]]:
    nested: dict[str, dict[str, Amount]] = {}
    for (ledger_account, currency), minor in balances.items():
        nested.setdefault(ledger_account.value, {})[currency] = _amount(minor, currency)
    return nested


def _amount(minor: int, currency: str) -> Amount:
    return msgspec.Raw(money.to_text(minor, currency).encode())
