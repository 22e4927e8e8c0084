"""The front door: what a browser gets at ``/``, where machines get the API's answer."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from kassa.pages import visits
from kassa.pages.templates import page
from kassa.platform import Platform

_ACCEPTS_PAGES = "text/html"


class PageRoute(Route):
    """A route for browsers alone: it leaves every request that does not ask for a page to what comes after it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a request of a browser."""
        match, child = super().matches(scope)
        if match is Match.FULL and _asks_for_page(scope):
            return match, child
        return Match.NONE, {}


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the front door of a Kassa that is not in demo mode: it says as little as it can."""

    async def show(request: Request) -> Response:
        site = platform.settings.base_url or ""
        return answer(request, page("front.html", language=visits.language(request), site=site, test_mode=False))

    return [PageRoute("/", show, methods=["GET"])]


def answer(request: Request, response: Response) -> Response:
    """Return a page whose address answers machines something else."""
    response.headers["vary"] = f"Accept, {response.headers['vary']}"
    return visits.remember(request, response)


def _asks_for_page(scope: Scope) -> bool:
    accepted = Request(scope).headers.get("accept", "").lower()
    return any(kind.partition(";")[0].strip() == _ACCEPTS_PAGES for kind in accepted.split(","))
