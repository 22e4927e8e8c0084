"""Pictures for shops and payers: methods' logos and icons, and an account's icon where it has none of its own.

They are ours, whatever an imported catalogue says (contract#public-api), and other sites may show them.
"""

import re
from functools import cache
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kassa.catalogue import builtin, drawing
from kassa.errors import NotFound
from kassa.pages.assets import FOLDER
from kassa.platform import Platform

ACCOUNT_ICON: Final = "/static/account.svg"

_HEADERS: Final = {
    "cache-control": "public, max-age=86400",
    "content-security-policy": "default-src 'none'",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
}
_CODE: Final = re.compile(r"[a-z0-9_]{1,100}")
_DRAWINGS: Final = {"logo.svg": drawing.logo, "icon.svg": drawing.icon}


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the routes on the base URL."""

    async def method(request: Request) -> Response:
        code, name = request.path_params["method"], request.path_params["picture"]
        ours = builtin.pictures().get(f"/static/methods/{code}/{name}")
        if ours is not None:
            return _picture(ours)
        draw = _DRAWINGS.get(name)
        if draw is None or not _CODE.fullmatch(code):
            return Response(status_code=HTTPStatus.NOT_FOUND)
        try:
            return _picture(draw(await platform.catalogue.method(code)))
        except NotFound:
            return Response(status_code=HTTPStatus.NOT_FOUND)

    async def account(_request: Request) -> Response:
        return _picture(_account_icon())

    return [
        Route("/static/methods/{method}/{picture}", method, methods=["GET"], name="method picture"),
        Route(ACCOUNT_ICON, account, methods=["GET"], name="account picture"),
    ]


@cache
def _account_icon() -> bytes:
    return (FOLDER / "account.svg").read_bytes()


def _picture(content: bytes) -> Response:
    return Response(content, media_type="image/svg+xml", headers=_HEADERS)
