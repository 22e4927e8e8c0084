"""The private API's exchange rates, with the account's spread (contract#private-api)."""

from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kassa import money
from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.description import examples
from kassa.api.description.operation import Answer, Caller, Operation, Parameter
from kassa.api.query import flag, once
from kassa.errors import NotFound
from kassa.invoices.document.shapes import Amount, Wire
from kassa.jsonapi.answers import answer
from kassa.platform import Platform
from kassa.rates.model import to_text


class RatesDocument(Wire, frozen=True, kw_only=True):
    """A rate by base currency, and in it by quote currency: how much of the quote one unit of the base is."""

    data: dict[str, dict[str, Amount]]


READ_RATE: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Read an exchange rate",
    description="The ``exchange_rate`` that an invoice created now would get, with the account's spread included.",
    parameters=(
        Parameter(name="base", place="path", description="The currency to convert from: the invoice's.", example="USD"),
        Parameter(name="quote", place="path", description="The currency to convert to: the service's.", example="EUR"),
        Parameter(
            name="test_mode",
            description="The mode; live mode uses no outdated rate. By default live, or test while the account can"
            " take no live payment.",
            schema={"enum": ["true", "false", "1", "0", ""]},
        ),
    ),
    answers=(Answer(type=RatesDocument, description="The rate.", example=examples.load("exchange_rate")),),
    errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)


class ExchangeRates:
    """The handler of ``/payment-exchange-rates/{base}/{quote}``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def read(self, request: Request) -> Response:
        """GET: the rate; 404 for what is no currency, and where there is no rate that may be used."""
        account = await auth.private_account(self._platform, request)
        test_mode = await self._mode(account, once(request, "test_mode"))
        base, quote = request.path_params["base"], request.path_params["quote"]
        if not (money.is_currency(base) and money.is_currency(quote)):
            raise NotFound
        spread = account.exchange_spread
        rate = await self._platform.rates.rate(base, quote, spread=spread, test_mode=test_mode)
        if rate is None:
            raise NotFound
        return answer(RatesDocument(data={base: {quote: msgspec.Raw(to_text(rate).encode())}}))

    async def _mode(self, account: Account, given: str | None) -> bool:
        """Return whether the rate is test mode's: as given, else where the account can take no live payment."""
        mode = flag({"test_mode": given} if given else {}, "test_mode")
        if mode is not None:
            return mode
        return not await self._platform.accounts.offered_currencies(account.account_id, test_mode=False)
