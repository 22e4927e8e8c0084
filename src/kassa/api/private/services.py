"""The account's services, their terms, and whether provider accounts cover them (contract#private-api).

``enabled``: the merchant has switched it on. ``available``: an account at an installed provider covers it in some mode.
``active``: in live mode. ``test_mode``: in test mode.
"""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from kassa import ids, money
from kassa.accounts.model import Account, AccountService, Backing
from kassa.accounts.services import queries
from kassa.api import auth
from kassa.api.description.operation import Answer, Caller, Operation, Parameter
from kassa.errors import BadRequest, NotFound
from kassa.invoices.document.shapes import Amount, Links, Reference, Relation, Wire
from kassa.jsonapi.answers import answer
from kassa.platform import Platform
from kassa.values import Value

PATH: Final = "/api/payment-services"
SIZE_DEFAULT: Final = 20
SIZE_MAX: Final = 100

_NUMBER_DIGITS_MAX: Final = 9
_SHOWN_MAX: Final = 64


class ServiceAttributes(Wire, frozen=True, kw_only=True):
    """A service as the account has it, in the family's order. Amounts and fees are in ``service_currency``."""

    service: str
    service_method: str
    service_currency: str
    available: bool
    active: bool
    enabled: bool
    amount_min: Amount
    amount_max: Amount
    fee_min: Amount
    fee_max: Amount
    fee_rate: Amount
    """Percent, as ``reserve_rate``."""
    fee_fix: Amount
    reserve_lifetime: int
    """Minutes."""
    reserve_rate: Amount
    currency: str
    """The account's settlement currency, for information."""
    test_mode: bool


class ServiceRelationships(Wire, frozen=True, kw_only=True):
    """The catalogue's method and service."""

    payment_method: Relation = msgspec.field(name="payment-method")
    payment_service: Relation = msgspec.field(name="payment-service")


class ServiceResource(Wire, frozen=True, kw_only=True):
    """An account's service as a JSON:API resource."""

    type: str = "payment-services"
    id: str
    attributes: ServiceAttributes
    relationships: ServiceRelationships
    links: Links


class ServiceDocument(Wire, frozen=True, kw_only=True):
    """One service."""

    data: ServiceResource


class PagesMeta(Wire, frozen=True, kw_only=True):
    """The list's length, and the number of this page."""

    total: int
    pages: int
    """At least 1."""
    page: int


class PagesLinks(Wire, frozen=True, kw_only=True):
    """Links to other pages, relative to the host; those that do not exist are left out."""

    first: str
    prev: str | msgspec.UnsetType = msgspec.UNSET
    next: str | msgspec.UnsetType = msgspec.UNSET
    last: str


class ServiceList(Wire, frozen=True, kw_only=True):
    """A page of services, in the order of their codes."""

    meta: PagesMeta
    links: PagesLinks
    data: list[ServiceResource]


class Page(Value, frozen=True, kw_only=True):
    """The wanted page."""

    number: int = 1
    size: int = SIZE_DEFAULT


LIST_SERVICES: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="List the account's services",
    description="A page after the last one is empty.",
    parameters=(
        Parameter(
            name="page[number]",
            description="The page, from 1.",
            schema={"type": "integer", "minimum": 1, "maximum": 10**_NUMBER_DIGITS_MAX - 1, "default": 1},
        ),
        Parameter(
            name="page[size]",
            description="Services on a page.",
            schema={"type": "integer", "minimum": 1, "maximum": SIZE_MAX, "default": SIZE_DEFAULT},
        ),
    ),
    answers=(Answer(type=ServiceList, description="A page of services."),),
    errors=(HTTPStatus.BAD_REQUEST,),
)

READ_SERVICE: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Read one of the account's services",
    parameters=(
        Parameter(
            name="account_service_id",
            place="path",
            description="The id of the account's service, ``comcps_…``.",
            schema={"type": "string", "minLength": 1},
            example="comcps_u1xxlHVw1NyeqmjJ",
        ),
    ),
    answers=(Answer(type=ServiceDocument, description="The service."),),
    errors=(HTTPStatus.NOT_FOUND,),
)


class Services:
    """Handlers of ``/payment-services``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def page(self, request: Request) -> Response:
        """GET: a page of the list."""
        account = await auth.private_account(self._platform, request)
        page = _page(request.query_params)
        pool, account_id = self._platform.pool, account.account_id
        total = await queries.count(pool, account_id=account_id)
        offset = (page.number - 1) * page.size
        found = await queries.page(pool, account_id=account_id, limit=page.size, offset=offset)
        data = await self._resources(account, found)
        pages = max(1, -(-total // page.size))
        return answer(
            ServiceList(
                meta=PagesMeta(total=total, pages=pages, page=page.number), links=_links(page, pages), data=data
            )
        )

    async def read(self, request: Request) -> Response:
        """GET by id."""
        account = await auth.private_account(self._platform, request)
        account_service_id = request.path_params["account_service_id"]
        if ids.tag_of(account_service_id, "comcps") != account.tag:
            raise NotFound
        found = await queries.service_by_id(
            self._platform.pool, account_id=account.account_id, account_service_id=account_service_id
        )
        if found is None:
            raise NotFound
        return answer(ServiceDocument(data=(await self._resources(account, [found]))[0]))

    async def _resources(self, account: Account, found: list[AccountService]) -> list[ServiceResource]:
        codes = [each.code for each in found]
        providers = self._platform.providers.codes()
        backings = await queries.backings(
            self._platform.pool, account_id=account.account_id, codes=codes, providers=providers
        )
        return [_resource(account, each, backings.get(each.code, Backing())) for each in found]


def _page(query: QueryParams) -> Page:
    """Return the page that a query asks for; an empty value is an absent one.

    Raises ``BadRequest`` for one that cannot be, and for filters and a mode: this list has none.
    """
    given: dict[str, str] = {}
    for name, value in query.multi_items():
        if name.partition("[")[0] not in ("page", "filter", "test_mode"):
            continue
        if name not in ("page[number]", "page[size]"):
            raise BadRequest(f"There is no {name[:_SHOWN_MAX]}.")
        if name in given:
            raise BadRequest(f"The query has {name} twice.")
        given[name] = value
    return Page(
        number=_whole(given, "page[number]", default=1, most=10**_NUMBER_DIGITS_MAX - 1),
        size=_whole(given, "page[size]", default=SIZE_DEFAULT, most=SIZE_MAX),
    )


def _whole(given: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    text = given.get(name) or str(default)
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS_MAX else 0
    if not 1 <= number <= most:
        raise BadRequest(f"{name} should be a number from 1 to {most}.")
    return number


def _links(page: Page, pages: int) -> PagesLinks:
    def link(number: int) -> str:
        return f"{PATH}?page[number]={number}&page[size]={page.size}"

    return PagesLinks(
        first=link(1),
        prev=link(min(page.number - 1, pages)) if page.number > 1 else msgspec.UNSET,
        next=link(page.number + 1) if page.number < pages else msgspec.UNSET,
        last=link(pages),
    )


def _resource(account: Account, service: AccountService, backing: Backing) -> ServiceResource:
    return ServiceResource(
        id=service.account_service_id,
        attributes=_attributes(account, service, backing),
        relationships=ServiceRelationships(
            payment_method=Relation(data=Reference(type="payment-methods", id=service.method)),
            payment_service=Relation(data=Reference(type="payment-services", id=service.code)),
        ),
        links=Links(self=f"{PATH}/{service.account_service_id}"),
    )


def _attributes(account: Account, service: AccountService, backing: Backing) -> ServiceAttributes:
    def amount(minor: int) -> Amount:
        return msgspec.Raw(money.to_text(minor, service.currency).encode())

    return ServiceAttributes(
        service=service.code,
        service_method=service.method,
        service_currency=service.currency,
        available=backing.test or backing.live,
        active=backing.live,
        enabled=service.enabled,
        amount_min=amount(service.amount_min),
        amount_max=amount(service.amount_max),
        fee_min=amount(service.fee_min),
        fee_max=amount(service.fee_max),
        fee_rate=_rate(service.fee_rate),
        fee_fix=amount(service.fee_fix),
        reserve_lifetime=service.reserve_lifetime,
        reserve_rate=_rate(service.reserve_rate),
        currency=account.currency,
        test_mode=backing.test,
    )


def _rate(percent: Decimal) -> Amount:
    """Return a rate as the shortest decimal: ``2.50`` is 2.5, ``0.00`` is 0."""
    return msgspec.Raw(f"{percent.normalize():f}".encode())
