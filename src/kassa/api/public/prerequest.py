"""The prerequest: the services that a payer can choose for a currency, with all that a shop needs to show them.

See contract#public-api.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kassa import money
from kassa.accounts.model import Account
from kassa.api.description import examples
from kassa.api.description.operation import Answer, Caller, Operation, Parameter, RequestBody
from kassa.api.description.texts import PUBLIC_KEY
from kassa.api.query import once
from kassa.catalogue.model import Field, Method
from kassa.checkout.ordering import keyed, public_account
from kassa.errors import Invalid
from kassa.invoices.creating.offers import Offer, Offers, offers
from kassa.invoices.creating.request import Code
from kassa.invoices.document.shapes import Amount, Wire
from kassa.jsonapi import fields
from kassa.jsonapi.answers import answer
from kassa.jsonapi.body import read_json
from kassa.pages.pictures import ACCOUNT_ICON
from kassa.platform import Platform
from kassa.values import Value

_IN_QUERY: Final = ("public_key", "currency")


class PrerequestBody(Value, frozen=True, kw_only=True):
    """A prerequest's members beside its public key; both may also be in the query."""

    REQUIRED: ClassVar = frozenset({"currency"})

    currency: Code | None = None


class OfferedService(Wire, frozen=True, kw_only=True):
    """A service that the payer may choose."""

    code: str
    method: str
    flow: str
    currency: str
    fields: tuple[Field, ...]
    amount_min: Amount
    amount_max: Amount


class OfferingAccount(Wire, frozen=True, kw_only=True):
    """The merchant that the payer pays."""

    name: str
    description: str
    icon: str
    website: str | None


class Prerequest(Wire, frozen=True, kw_only=True):
    """What can be offered for a currency. Both maps are objects also where they are empty."""

    currency: str
    test_mode: bool
    services: dict[str, OfferedService]
    methods: dict[str, Method]
    account: OfferingAccount


class PrerequestDocument(Wire, frozen=True, kw_only=True):
    """The answer to a prerequest."""

    data: Prerequest


PREREQUEST: Final = Operation(
    method="POST",
    caller=Caller.PUBLIC,
    summary="List the payment methods",
    description=(
        "Lists all services for a currency in the key's mode, whatever the amount. A service with another ``currency``"
        " charges the converted amount; its limits are in its own currency."
    ),
    body=RequestBody(type=PrerequestBody, public_key=True, example=examples.load("prerequest")),
    parameters=(
        PUBLIC_KEY,
        Parameter(name="currency", description="Instead of the body's."),
    ),
    answers=(Answer(type=PrerequestDocument, description="Services and their methods, by code."),),
)


class Prerequests:
    """The handler of ``/public-api/payment-prerequest``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._base_url = platform.settings.base_url or ""

    async def read(self, request: Request) -> Response:
        """POST: 200 with what the account offers, also where only its private API takes invoices.

        See contract#authentication.
        """
        errors: dict[str, str] = {}
        data = await _data(request, errors)
        account, test_mode = await public_account(self._platform, data)
        currency = fields.read(PrerequestBody, data, errors).currency or ""
        if "currency" not in errors and not money.is_currency(currency):
            errors["currency"] = "This value is not a valid currency."
        if errors:
            raise Invalid(errors)
        found = await offers(self._platform, account, currency, test_mode=test_mode)
        return answer(PrerequestDocument(data=self._prerequest(account, currency, found, test_mode=test_mode)))

    def _prerequest(self, account: Account, currency: str, found: Offers, *, test_mode: bool) -> Prerequest:
        return Prerequest(
            currency=currency,
            test_mode=test_mode,
            services=_services(found.offers),
            methods={code: self._method(method) for code, method in found.methods.items()},
            account=OfferingAccount(
                name=account.name,
                description=account.description,
                icon=account.icon or f"{self._base_url}{ACCOUNT_ICON}",
                website=account.website,
            ),
        )

    def _method(self, method: Method) -> Method:
        base = self._base_url
        return msgspec.structs.replace(method, logo=f"{base}{method.logo}", icon=f"{base}{method.icon}")


async def _data(request: Request, errors: dict[str, str]) -> Mapping[str, Any]:
    """Return the body's members, and the query's where the body has none."""
    query = {name: value for name in _IN_QUERY if (value := once(request, name)) is not None}
    empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    body = {} if empty and query else await read_json(request, errors)
    return {**query, **keyed(body, query.get("public_key"))}


def _services(found: Iterable[Offer]) -> dict[str, OfferedService]:
    return {offer.service.code: _service(offer) for offer in found}


def _service(offer: Offer) -> OfferedService:
    service = offer.service
    return OfferedService(
        code=service.code,
        method=service.method,
        flow=service.flow,
        currency=service.currency,
        fields=offer.fields,
        amount_min=_amount(service.amount_min, service.currency),
        amount_max=_amount(service.amount_max, service.currency),
    )


def _amount(minor: int, currency: str) -> Amount:
    return msgspec.Raw(money.to_text(minor, currency).encode())
