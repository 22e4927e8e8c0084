"""The demo shop: receives callbacks as a merchant's server would, and shows them on a page (``serve --demo`` only)."""

import base64
import hashlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from kassa import ids
from kassa.demo.inbox import Body, Invoice, Received, genuine
from kassa.errors import NotFound
from kassa.platform import Platform

CALLBACKS_PATH: Final = "/demo/shop/callbacks"
KEPT: Final = 100
BODY_BYTES_MAX: Final = 256 * 1024

_FOLDER: Final = Path(__file__).parent
_style: Final = (_FOLDER / "shop.css").read_text(encoding="utf-8").removesuffix("\n")
_page: Final = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
).get_template("shop.html")
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_style.encode()).digest()).decode()}'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_log = structlog.get_logger(__name__)
_body = msgspec.json.Decoder(Body)


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the shop's address for callbacks, and its page."""
    shop = Shop(platform)
    return [
        Route(CALLBACKS_PATH, shop.receive, methods=["POST"]),
        Route("/demo/shop", shop.show, methods=["GET"]),
    ]


class Shop:
    """The last callbacks, in memory."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._received: deque[Received] = deque(maxlen=KEPT)

    async def receive(self, request: Request) -> Response:
        """Check and keep a callback: 200, or 400 for what is none, 401 for a wrong signature, 413 for too much."""
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > BODY_BYTES_MAX:
                return Response(status_code=413)
        try:
            invoice = _body.decode(content).data
        except msgspec.MsgspecError:
            return Response(status_code=400)
        now = self._platform.clock.real()
        keys = await self._keys(invoice)
        is_genuine = genuine(request.headers, bytes(content), keys=keys, now=now)
        self._received.appendleft(
            Received(
                callback_id=request.headers.get("webhook-id", ""),
                invoice=invoice,
                received_at=now,
                genuine=is_genuine,
            )
        )
        _log.info(
            "callback received",
            invoice_id=invoice.id,
            status=invoice.attributes.status,
            signatures="ok" if is_genuine else "WRONG",
        )
        return Response(status_code=200 if is_genuine else 401)

    async def show(self, _: Request) -> Response:
        """Return the page that lists what came in."""
        return HTMLResponse(_page.render(received=list(self._received)), headers=_HEADERS)

    async def _keys(self, invoice: Invoice) -> Sequence[str]:
        """Return what the shop would have in its settings: the private keys of the account that the invoice is of."""
        tag = ids.tag_of(invoice.id, "cpi")
        try:
            account = await self._platform.accounts.by_tag(tag or "")
        except NotFound:
            return []
        return await self._platform.accounts.private_keys(account.account_id, test_mode=invoice.attributes.test_mode)
