"""The page at ``/`` in demo mode: what this is, something to buy, and where everything else is."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kassa.accounts import demo
from kassa.demo import shop
from kassa.pages import front, payer_language
from kassa.pages.templates import page
from kassa.platform import Platform


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the landing page."""

    async def show(request: Request) -> Response:
        site = platform.settings.base_url or ""
        response = page(
            "demo/landing.html",
            language=payer_language.of(request),
            site=site,
            test_mode=True,
            shop=demo.NAME,
            base_url=site,
            bank_url=platform.settings.bank_url,
            **shop.goods(platform),
        )
        return front.answer(request, response)

    return [front.PageRoute("/", show, methods=["GET"])]
