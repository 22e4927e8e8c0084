"""Merchants' logos on pages for payers, served under a name that changes with their content.

An SVG may hold scripts: an ``<img>`` runs none, and its own policy forbids them where the file is opened by itself.
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa.accounts import logo
from kassa.accounts.model import Account
from kassa.errors import NotFound, TooMany
from kassa.platform import Platform

ROOT: Final = "/static/logos/"

_HEADERS: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_TAG: Final = re.compile(r"[A-Za-z0-9]{4}")


def path(account: Account) -> str | None:
    """Return the address of an account's logo, or None where it has none."""
    return f"{ROOT}{account.tag}/{logo.name(account.logo)}" if account.logo else None


def route(platform: Platform) -> Route:
    """Return the route that serves every account's logo."""

    async def serve(request: Request) -> Response:
        try:
            with platform.rate_limits.misses.guessing(request.client.host if request.client else ""):
                content = await _content(platform, request.path_params["tag"], request.path_params["name"])
        except (NotFound, TooMany) as error:
            return Response(status_code=error.status)
        return Response(content, media_type=logo.media_type(content), headers=_HEADERS)

    return Route(f"{ROOT}{{tag}}/{{name}}", serve, methods=["GET"], name="logo")


async def _content(platform: Platform, tag: str, name: str) -> bytes:
    if not _TAG.fullmatch(tag):
        raise NotFound
    content = (await platform.accounts.by_tag(tag)).logo
    if content is None or logo.name(content) != name:
        raise NotFound
    return content
