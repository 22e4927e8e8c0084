"""The API's description as OpenAPI and as a page, made from the route table and the types of the wire."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kassa.api.description import page
from kassa.api.description.document import describe
from kassa.api.description.operation import Operation
from kassa.api.description.schemas import Schema
from kassa.jsonapi.answers import answer
from kassa.platform import Platform

# Only what is the same for everyone is compressed: the compressed length of a page that holds a secret and repeats a
# part of the request would reveal the secret bit by bit (BREACH).
_COMPRESSED: Final = [Middleware(GZipMiddleware, compresslevel=6)]


def routes(platform: Platform, described: Sequence[BaseRoute], gate: Mapping[str, Operation]) -> list[BaseRoute]:
    """Return the routes ``/openapi.json`` and ``/docs``, which describe ``described`` and the card gate."""
    base_url, gate_url = platform.settings.base_url or "", platform.settings.gate_url or ""

    @cache
    def document() -> Schema:
        return describe(base_url, described, gate_url, gate)

    async def openapi(_request: Request) -> Response:
        return answer(document())

    async def docs(_request: Request) -> Response:
        return page.read(document())

    return [
        Route("/openapi.json", openapi, methods=["GET"], middleware=_COMPRESSED),
        Route("/docs", docs, methods=["GET"], middleware=_COMPRESSED),
    ]
