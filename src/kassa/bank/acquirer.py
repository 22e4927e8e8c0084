"""The bank's API for merchants: JSON, amounts in minor units, HTTP Basic with the merchant's id and secret.

    PUT /purchases/{order}                    take money from a card or a wallet, or run a scenario; the order's name
                                              is the idempotency key
    GET /purchases/{order}                    show it
    GET /purchases?transaction=…              show it, by the bank's own name
    POST /purchases/{order}/cancel            close it if it still waits for its payer, and show it
    PUT /purchases/{order}/refunds/{refund}   refund; the refund's name is the idempotency key
    GET /purchases/{order}/refunds/{refund}   show it
    GET /statement?since=…&until=…&after=…    the books of a period, in unix seconds: what was taken, refunded and
                                              charged back, and what of it came back, page by page, each after
                                              the last one's rrn

Only the answers to PUT and POST can have faults (``faults``). An error is
``{"error": {"status": 409, "message": "…"}}``.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kassa import money
from kassa.bank import model, operations, queries
from kassa.bank.answers import PurchaseAnswer, RefundAnswer, purchase_answer, refund_answer
from kassa.bank.books import Books
from kassa.bank.fault_injection import FaultInjector
from kassa.bank.instruments import CardData, Instrument, Scenario, Wallet
from kassa.bank.model import Order
from kassa.clock import Clock
from kassa.errors import BadRequest, NotFound, Unauthorized, UnknownCurrency

STATEMENT_LENGTH = 150
"""Lines a page: the longest of them together are smaller than 64 KiB."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECONDS = re.compile(r"[0-9]{1,11}")
_END_OF_TIME = 10**11

Amount = Annotated[int, Meta(gt=0, lt=10**15)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s\\/@][^\s\\@]*\Z", max_length=2048)]

BodyT = TypeVar("BodyT")


class CardBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card, kept no longer than the request (P10)."""

    number: Annotated[str, Meta(pattern=r"^[0-9]{12,19}\Z")]
    expiry: Annotated[str, Meta(pattern=r"^(0[1-9]|1[0-2])/[0-9]{2}\Z")]
    cvv: Annotated[str, Meta(pattern=r"^[0-9]{3,4}\Z")]
    holder: Annotated[str, Meta(max_length=255)] | None = None

    def __repr__(self) -> str:
        return "CardBody(…)"

    __str__ = __repr__


class PurchaseBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order, with one instrument: a card, a wallet's code, or the name of a scenario.

    ``shop``, ``reference`` and ``invoice`` are shown on the payer's page and at the desk. ``valid_until`` is in unix
    seconds; ``check_only`` checks the card and takes nothing.
    """

    amount: Amount
    currency: Currency
    card: CardBody | None = None
    wallet: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*\Z", max_length=100)] | None = None
    scenario: Literal["success", "pending", "fail"] | None = None
    return_url: Url
    notify_url: Url
    valid_until: Annotated[int, Meta(ge=0, lt=2**38)]
    payer_ip: Annotated[str, Meta(max_length=64)]
    payer_locale: Annotated[str, Meta(max_length=35)] | None = None
    shop: Annotated[str, Meta(max_length=255)] | None = None
    reference: Annotated[str, Meta(max_length=255)] | None = None
    invoice: Annotated[str, Meta(max_length=64)] | None = None
    description: Annotated[str, Meta(max_length=255)] | None = None
    check_only: bool = False


class RefundBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A refund to make."""

    amount: Amount
    currency: Currency


class Acquirer:
    """The merchants' side of the bank. ``merchants`` maps ids to secrets."""

    def __init__(self, books: Books, clock: Clock, merchants: Mapping[str, str], faults: FaultInjector) -> None:
        self._books = books
        self._faults = faults
        self._clock = clock
        self._merchants = merchants

    def routes(self) -> list[BaseRoute]:
        """Return the merchants' routes."""
        return [
            Route("/purchases", self.find, methods=["GET"]),
            Route("/purchases/{order}", self.place, methods=["PUT"]),
            Route("/purchases/{order}", self.show, methods=["GET"]),
            Route("/purchases/{order}/cancel", self.cancel, methods=["POST"]),
            Route("/purchases/{order}/refunds/{refund}", self.refund, methods=["PUT"]),
            Route("/purchases/{order}/refunds/{refund}", self.show_refund, methods=["GET"]),
            Route("/statement", self.statement, methods=["GET"]),
        ]

    async def place(self, request: Request) -> Response:
        """Take an order, or show it if it was taken before."""
        merchant_id = self._merchant(request)
        body = await _body(request, PurchaseBody)
        _check_currency(body.currency)
        order = Order(
            merchant_id=merchant_id,
            order_ref=_name(request, "order"),
            amount=body.amount,
            currency=body.currency,
            description=body.description,
            check_only=body.check_only,
            return_url=body.return_url,
            notify_url=body.notify_url,
            valid_until=datetime.fromtimestamp(body.valid_until, UTC),
            instrument=_instrument(body),
            locale=body.payer_locale,
            shop=body.shop,
            reference=body.reference,
            invoice=body.invoice,
        )
        order = self._faults.with_fault(order)

        def place() -> Response:
            return _json(purchase_answer(model.as_answered(operations.place(self._books, order, now=self._now()))))

        return await self._faults.answer(request, order.fault, place)

    async def show(self, request: Request) -> Response:
        """Show a purchase."""
        purchase = operations.purchase(
            self._books, merchant_id=self._merchant(request), order_ref=_name(request, "order"), now=self._now()
        )
        return _json(purchase_answer(purchase))

    async def cancel(self, request: Request) -> Response:
        """Close a purchase that waits for its payer, and show it; a final state stays."""
        close = partial(
            operations.cancel,
            self._books,
            merchant_id=self._merchant(request),
            order_ref=_name(request, "order"),
            now=self._now(),
        )
        return await self._faults.answer(request, self._faults.for_answer(), lambda: _json(purchase_answer(close())))

    async def find(self, request: Request) -> Response:
        """Show a purchase by the bank's own name for it."""
        merchant_id = self._merchant(request)
        transaction_id = request.query_params.get("transaction", "")
        found = queries.find_purchase_by_transaction(
            self._books.connection, merchant_id=merchant_id, transaction_id=transaction_id
        )
        if found is None:
            raise NotFound("There is no such transaction.")
        return _json(
            purchase_answer(
                operations.purchase(self._books, merchant_id=merchant_id, order_ref=found.order_ref, now=self._now())
            )
        )

    async def refund(self, request: Request) -> Response:
        """Refund, or show the refund if it was made before."""
        merchant_id = self._merchant(request)
        body = await _body(request, RefundBody)
        give = partial(
            operations.refund,
            self._books,
            merchant_id=merchant_id,
            order_ref=_name(request, "order"),
            refund_ref=_name(request, "refund"),
            amount=body.amount,
            currency=body.currency,
            now=self._now(),
        )
        return await self._faults.answer(request, self._faults.for_answer(), lambda: _json(refund_answer(give())))

    async def show_refund(self, request: Request) -> Response:
        """Show a refund."""
        given = operations.known_refund(
            self._books,
            merchant_id=self._merchant(request),
            order_ref=_name(request, "order"),
            refund_ref=_name(request, "refund"),
        )
        return _json(refund_answer(given))

    async def statement(self, request: Request) -> Response:
        """Show the money that moved from ``since`` to before ``until``; ``next`` is the rrn to go on from, or null."""
        lines = queries.statement(
            self._books.connection,
            merchant_id=self._merchant(request),
            since=_seconds(request, "since", 0),
            until=_seconds(request, "until", _END_OF_TIME),
            after_rrn=request.query_params.get("after", ""),
            limit=STATEMENT_LENGTH,
        )
        return _json({"lines": lines, "next": lines[-1]["rrn"] if len(lines) == STATEMENT_LENGTH else None})

    def _merchant(self, request: Request) -> str:
        """Return the id of the calling merchant. Raises ``Unauthorized``."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        try:
            merchant_id, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise Unauthorized from None
        known = self._merchants.get(merchant_id)
        right = hmac.compare_digest(secret.encode(), (known or "").encode())
        if scheme.lower() != "basic" or known is None or not right:
            raise Unauthorized("The merchant or its secret is not known.")
        return merchant_id

    def _now(self) -> datetime:
        return self._clock.now(test_mode=True)


async def _body(request: Request, shape: type[BodyT]) -> BodyT:
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    except msgspec.DecodeError as error:
        raise BadRequest(str(error)) from None


def _instrument(body: PurchaseBody) -> Instrument:
    given: list[Instrument] = []
    if body.card is not None:
        given.append(CardData(number=body.card.number, expiry=body.card.expiry))
    if body.wallet is not None:
        given.append(Wallet(code=body.wallet))
    if body.scenario is not None:
        given.append(Scenario(name=body.scenario))
    if len(given) != 1:
        raise BadRequest("An order names a card, a wallet or a scenario, and one of them.")
    if body.check_only and body.card is None:
        raise BadRequest("Only a card can be checked.")
    return given[0]


def _check_currency(currency: str) -> None:
    try:
        money.exponent(currency)
    except UnknownCurrency as error:
        raise BadRequest(error.detail) from None


def _name(request: Request, parameter: str) -> str:
    name: str = request.path_params[parameter]
    if not _NAME.fullmatch(name):
        raise BadRequest("A name is 1 to 64 letters, digits, - and _.")
    return name


def _seconds(request: Request, parameter: str, default: int) -> int:
    text = request.query_params.get(parameter)
    if text is None:
        return default
    if not _SECONDS.fullmatch(text):
        raise BadRequest("A time is a whole number of unix seconds.")
    return int(text)


def _json(content: PurchaseAnswer | RefundAnswer | dict[str, object]) -> Response:
    return Response(msgspec.json.encode(content), HTTPStatus.OK, media_type="application/json")
