"""Host-to-host: a merchant's server sends the card itself, with the invoice's token (contract#card-gate).

The same charge as the card page's, in JSON. Where the bank requires 3-D Secure, the merchant sends the payer's browser
to ``auth_payload``, and the bank sends it back to the invoice's page here.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa.cardgate import charge, operation
from kassa.cardgate.charge import Session
from kassa.errors import NotFound, Unauthorized
from kassa.invoices.creating import options as gateway
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.jsonapi.answers import HANDLERS, answer, conflict, refusal
from kassa.jsonapi.body import attributes, read_json
from kassa.platform import Platform
from kassa.providers.protocol import Card
from kassa.values import Value

PATH: Final = "/payment/sale"
_PATHS: Final = (PATH, f"{PATH}/")
TYPE: Final = "sale-operation"

_MERCHANTS: Final = "merchant_api"
"""The source of invoices whose token only the merchant's servers have."""
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


class AuthPayload(Value, frozen=True, kw_only=True):
    """Where the payer confirms the payment: a form with ``params``, sent to ``action`` by ``method``."""

    action: str
    method: str
    params: dict[str, str] | list[str]
    """An empty map is an empty list, as everywhere (contract#formats)."""


class SaleAttributes(Value, frozen=True, kw_only=True):
    """The attempt: ``status`` and ``resolution`` are the payment's."""

    status: str
    resolution: str
    auth_payload: AuthPayload | None


class SaleResource(Value, frozen=True, kw_only=True):
    """The operation, named by the card session that it belongs to."""

    type: str = TYPE
    id: str
    attributes: SaleAttributes


class SaleDocument(Value, frozen=True, kw_only=True):
    """The answer: it has the attributes twice, because clients of this API family read either."""

    status: str
    resolution: str
    auth_payload: AuthPayload | None
    data: SaleResource


def routes(platform: Platform) -> list[Route]:
    """Return the routes: an application of its own, because it answers in JSON where the gate answers with pages."""
    sales = Sales(platform)
    machines = Starlette(
        routes=[Route(path, sales.sell, methods=["POST"]) for path in _PATHS],
        exception_handlers=HANDLERS | {Unauthorized: _unauthorized},
    )
    return [Route(path, machines) for path in _PATHS]


class _Caller(Value, frozen=True, kw_only=True):
    """The address that a card came from. Of an invoice that anyone can create, anyone can have the token."""

    client_ip: str
    payer_known: bool
    """Whether it is the payer's own address, not that of a merchant's server."""

    @classmethod
    def of(cls, request: Request, sale: operation.Sale, invoice: Invoice) -> "_Caller":
        own = request.client.host if request.client else ""
        if invoice.source != _MERCHANTS:
            return cls(client_ip=own, payer_known=True)
        return cls(client_ip=sale.payer_ip or own, payer_known=sale.payer_ip is not None)


class Sales:
    """The handler."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def sell(self, request: Request) -> Response:
        """POST: 201 with the attempt; a decline is one of its outcomes.

        401 for a token that is missing, forged, expired or of no session; 422 with all that is wrong with the card, by
        name; 409 with the latest attempt, where the invoice takes no other: one is in progress, or it has ended.
        """
        session = await self._session(request)
        errors: dict[str, str] = {}
        data = await read_json(request, errors, inside="data.attributes")
        sale = operation.read(attributes(data, errors, kind=TYPE), errors)
        card = operation.check(
            sale,
            errors,
            now=session.now,
            test_mode=session.invoice.test_mode,
            lengths=gateway.options(session.invoice.gateway_options).number_lengths,
        )
        return await self._charge(session, card, _Caller.of(request, sale, session.invoice))

    async def _charge(self, session: Session, card: Card, caller: "_Caller") -> Response:
        invoice = session.invoice
        view = await charge.pay(
            self._platform,
            session,
            number=invoice.attempts + 1,
            card=card,
            client_ip=caller.client_ip,
            payer_known=caller.payer_known,
        )
        if view is not None and view.payment is not None:
            return answer(_document(session, view.payment), HTTPStatus.CREATED)
        now = await charge.open_session(self._platform, invoice.session_id or "")
        live = now.payment is not None and now.payment.live
        detail = "An attempt is under way; it is in data." if live else "The invoice takes no payment any more."
        return conflict(detail, _document(session, now.payment).data if now.payment is not None else None)

    async def _session(self, request: Request) -> Session:
        """Return the session of the request's token, which ends with its invoice by the clock of the invoice's mode."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized
        session_id = self._platform.tokens.read(token.strip(), now=_EARLIEST)
        try:
            session = await charge.open_session(self._platform, session_id)
        except NotFound:
            raise Unauthorized from None
        self._platform.tokens.read(token.strip(), now=session.now)
        return session


def _document(session: Session, payment: Payment) -> SaleDocument:
    shown = SaleAttributes(
        status=payment.status, resolution=payment.public_resolution, auth_payload=_auth_payload(payment)
    )
    return SaleDocument(
        **msgspec.structs.asdict(shown), data=SaleResource(id=session.invoice.session_id or "", attributes=shown)
    )


def _auth_payload(payment: Payment) -> AuthPayload | None:
    if not payment.live or payment.action is None:
        return None
    params: dict[str, str] | list[str] = payment.action_params or []
    return AuthPayload(action=payment.action, method=payment.action_method or "GET", params=params)


async def _unauthorized(request: Request, error: Any) -> Response:
    response = refusal(error)
    response.headers["WWW-Authenticate"] = 'Bearer realm="kassa"'
    return response
