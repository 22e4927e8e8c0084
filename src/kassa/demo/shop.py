"""The demo shop: one product to buy, and the callbacks about it (``serve --demo`` only).

It uses Kassa as merchants do, over HTTP and with an API key; ``merchant.py`` is the part to copy.
"""

import re
import secrets
from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from kassa import ids
from kassa.accounts import demo
from kassa.accounts.model import Account
from kassa.demo import merchant
from kassa.demo.orders import Order, Orders, Received
from kassa.errors import KassaError, NotFound
from kassa.money import to_minor
from kassa.pages import error_pages, forms, payer_language
from kassa.pages.languages import translations
from kassa.pages.templates import page
from kassa.platform import Platform

PATH: Final = "/demo/shop"
CALLBACKS_PATH: Final = f"{PATH}/callbacks"
BODY_BYTES_MAX: Final = 256 * 1024
PRICE: Final = Decimal("12.50")
CURRENCY: Final = "USD"
SERVICE: Final = "payment_card_usd_hpp"
TEST_CARD: Final = "5123 8172 3406 0000"

_FORM_BYTES_MAX: Final = 1024
_API_SECONDS: Final = 15.0
_REFERENCE: Final = re.compile(r"order-[0-9a-f]{12}", re.ASCII)
_SIGNING: Final = ("X-Signature", "webhook-id", "webhook-timestamp", "webhook-signature")

_log = structlog.get_logger(__name__)


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the shop's pages, and its address for callbacks."""
    shop = Shop(platform)
    served = [
        Route("/", shop.show, methods=["GET"]),
        Route("/buy", shop.buy, methods=["POST"]),
        Route("/orders/{reference_id}", shop.thank, methods=["GET"]),
        Route("/orders/{reference_id}/unpaid", shop.come_back_unpaid, methods=["GET"]),
        Route("/callbacks", shop.receive, methods=["POST"]),
        Route("/callbacks", shop.list_callbacks, methods=["GET"]),
    ]
    pages = Starlette(routes=served, exception_handlers=error_pages.handlers(platform.settings.base_url or ""))
    pages.router.redirect_slashes = False
    return [Route(PATH, shop.show, methods=["GET"]), Mount(PATH, pages)]


def goods(platform: Platform) -> dict[str, Any]:
    """Return the template values of a page with a *Buy* button."""
    return {
        "price": to_minor(PRICE, CURRENCY),
        "currency": CURRENCY,
        "test_card": TEST_CARD,
        "new_order": _new_reference(),
        # Browsers hold the answer to a form, which leads to the card page, against the page's policy as well.
        "form_targets": [platform.settings.gate_url] if platform.settings.gate_url else [],
    }


class Shop:
    """The handlers."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._orders = Orders()
        self._site = platform.settings.base_url or ""

    async def show(self, request: Request) -> Response:
        """GET ``/demo/shop``: the product."""
        return self._page(request, "demo/shop.html")

    async def buy(self, request: Request) -> Response:
        """POST ``/demo/shop/buy``: create the order's invoice, and send the payer to the page to pay on.

        The form brings the order's number, so a second click finds the invoice of the first.
        """
        keys = demo.kept(self._platform.settings.home_path())
        if keys is None:
            raise NotFound
        client = merchant.Client(base_url=self._site, account_id=keys.id, api_key=keys.api_key, send=self._send)
        order = self._orders.open(await self._reference(request), keys.id)
        try:
            invoice = await client.create_invoice(self._priced(order, payer_language.of(request)))
        except merchant.Refused as refused:
            return self._no_invoice(request, f"{refused.status} {refused.body.decode(errors='replace')}")
        except KassaError as error:
            return self._no_invoice(request, error.detail)
        order.pay_url = invoice.pay_url
        return RedirectResponse(invoice.pay_url, HTTPStatus.SEE_OTHER, headers={"cache-control": "no-store"})

    async def receive(self, request: Request) -> Response:
        """POST ``/demo/shop/callbacks``: 200, or 400 for no callback, 401 for a wrong signature, 413 for too much."""
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > BODY_BYTES_MAX:
                return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body, now = bytes(content), self._platform.clock.real()
        try:
            invoice = merchant.read_invoice(body)
        except merchant.Unreadable:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        account = await self._account(invoice)
        keys = await self._private_keys(account, test_mode=invoice.test_mode)
        callback = Received(
            account_id=account.account_id if account else None,
            callback_id=request.headers.get("webhook-id", ""),
            headers={name: request.headers.get(name, "") for name in _SIGNING},
            body=body,
            invoice=invoice,
            signatures=merchant.check(request.headers, body, private_keys=keys, now=now.timestamp()),
            received_at=now,
        )
        self._orders.take(callback)
        signed = "ok" if callback.genuine else "WRONG"
        _log.info("callback received", invoice_id=invoice.id, status=invoice.status, signatures=signed)
        return Response(status_code=HTTPStatus.OK if callback.genuine else HTTPStatus.UNAUTHORIZED)

    async def thank(self, request: Request) -> Response:
        """GET ``/demo/shop/orders/{order-…}``: the return address of an order that is paid, or not known to be."""
        return self._order_page(request, left=False)

    async def come_back_unpaid(self, request: Request) -> Response:
        """GET ``/demo/shop/orders/{order-…}/unpaid``: the return address of an unpaid order."""
        return self._order_page(request, left=True)

    async def list_callbacks(self, request: Request) -> Response:
        """GET ``/demo/shop/callbacks``: the latest callbacks, newest first."""
        received = list(self._orders.received)
        newest = received[0] if received else None
        state = f"{newest.callback_id}.{newest.received_at.timestamp()}" if newest else "none"
        return self._page(request, "demo/callbacks.html", state=_header_safe(state), received=received)

    def _order_page(self, request: Request, *, left: bool) -> Response:
        order = self._orders.find(request.path_params["reference_id"])
        if order is None:
            raise NotFound
        progress = "paid" if order.paid else "failed" if order.failed else "left" if left else "waiting"
        callback = order.callback
        state = f"{progress}.{callback.invoice.updated}" if callback else progress
        return self._page(
            request, "demo/order.html", state=state, order=order, progress=progress, callback=callback, poll=order.open
        )

    def _no_invoice(self, request: Request, answer: str) -> Response:
        return self._page(request, "demo/refused.html", status=HTTPStatus.BAD_GATEWAY, switcher=False, answer=answer)

    def _page(self, request: Request, template: str, *, status: int = HTTPStatus.OK, **values: Any) -> Response:
        response = page(
            template,
            language=payer_language.of(request),
            site=self._site,
            status=status,
            test_mode=True,
            shop=demo.NAME,
            **goods(self._platform),
            **values,
        )
        return payer_language.remember(request, response)

    async def _reference(self, request: Request) -> str:
        """Return the number of the form's order, or a new one where that order is paid or has failed."""
        form = dict(parse_qsl((await forms.read(request, _FORM_BYTES_MAX)).decode("latin-1")))
        given = form.get("order", "")
        if not _REFERENCE.fullmatch(given):
            return _new_reference()
        known = self._orders.find(given)
        return given if known is None or known.open else _new_reference()

    def _priced(self, order: Order, language: str) -> merchant.Order:
        back = f"{self._site}{PATH}/orders/{order.reference_id}"
        return merchant.Order(
            reference_id=order.reference_id,
            amount=PRICE,
            currency=CURRENCY,
            service=SERVICE,
            description=translations(language).gettext("House espresso, 1 kg"),
            locale=language,
            success_url=back,
            pending_url=back,
            fail_url=f"{back}/unpaid",
        )

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        answer = await self._platform.outbound.request(
            method, url, headers=headers, body=body, timeout_seconds=_API_SECONDS, guarded=False
        )
        return answer.status, answer.body

    async def _account(self, invoice: merchant.Invoice) -> Account | None:
        """Return the account of an invoice: any account here may have its callbacks sent to this shop."""
        try:
            return await self._platform.accounts.by_tag(ids.tag_of(invoice.id, "cpi") or "")
        except NotFound:
            return None

    async def _private_keys(self, account: Account | None, *, test_mode: bool) -> tuple[str, ...]:
        """Return the private keys, which real merchants have in their server's settings."""
        if account is None:
            return ()
        return tuple(await self._platform.accounts.private_keys(account.account_id, test_mode=test_mode))


def _new_reference() -> str:
    return f"order-{secrets.token_hex(6)}"


def _header_safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "", text)
