"""The page at ``/`` for browsers; machines get the API's answer there."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from kassa.pages import payer_language
from kassa.pages.templates import page
from kassa.platform import Platform

_ACCEPTS_PAGES = "text/html"


class PageRoute(Route):
    """A route for browsers: requests that do not accept HTML go on to the next routes."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a browser's request."""
        match, child = super().matches(scope)
        if match is Match.FULL and _accepts_page(scope):
            return match, child
        return Match.NONE, {}


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the page of a Kassa that is not in demo mode, which shows as little as possible."""

    async def show(request: Request) -> Response:
        site = platform.settings.base_url or ""
        return answer(request, page("front.html", language=payer_language.of(request), site=site, test_mode=False))

    return [PageRoute("/", show, methods=["GET"])]


def answer(request: Request, response: Response) -> Response:
    """Return a page whose address gives machines another answer."""
    response.headers["vary"] = f"Accept, {response.headers['vary']}"
    return payer_language.remember(request, response)


def _accepts_page(scope: Scope) -> bool:
    accepted = Request(scope).headers.get("accept", "").lower()
    return any(kind.partition(";")[0].strip() == _ACCEPTS_PAGES for kind in accepted.split(","))
