"""The checkout's addresses on the base URL."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from kassa.checkout import standing, ways
from kassa.checkout.standing import PASSING, Standing
from kassa.invoices import asking
from kassa.pages import accent, assets, forms, mishaps, outcome, pictures, stages, visits
from kassa.pages.languages import PARAMETERS
from kassa.pages.look import look
from kassa.pages.templates import page
from kassa.payments.model import PaymentStatus
from kassa.platform import Platform

_AWAITED: Final = frozenset({PaymentStatus.INVOKED, PaymentStatus.PROCESS_PENDING})
"""Attempts that a payer who comes back may have decided."""


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the routes that the base application mounts."""
    checkout = Checkout(platform)
    pages = Starlette(
        routes=[
            Route("/", checkout.enter, methods=["GET"]),
            Route("/result/{invoice_id}", checkout.result, methods=["GET"]),
            Route("/result/{invoice_id}/return", checkout.come_back, methods=["GET", "POST"]),
        ],
        exception_handlers=mishaps.handlers(checkout.site),
    )
    pages.router.redirect_slashes = False
    # Some of the family's documents write the address without the slash.
    bare = Starlette(
        routes=[Route("/hpp", checkout.enter, methods=["GET"])], exception_handlers=mishaps.handlers(checkout.site)
    )
    return [Route("/hpp", bare), Mount("/hpp", pages), *pictures.routes(platform), accent.route(), assets.route()]


class Checkout:
    """The handlers."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.site = platform.settings.base_url or ""

    async def enter(self, request: Request) -> Response:
        """GET ``/hpp/?cpi={cpi_…}``: the address that ``hpp_url`` names, on to where this invoice is paid or shown."""
        found = await standing.find(self._platform, request, request.query_params.get("cpi"))
        invoice = found.view.invoice
        url = ways.gate(self._platform, invoice, found.stage) or ways.result_url(self._platform, invoice)
        asked = {name: value for name in PARAMETERS if (value := request.query_params.get(name))}
        target = f"{url}?{urlencode(asked)}" if asked else url
        return RedirectResponse(target, HTTPStatus.SEE_OTHER, headers=PASSING)

    async def result(self, request: Request) -> Response:
        """GET ``/hpp/result/{cpi_…}``: how an invoice stands, for whoever has its id: nothing of customer or card."""
        found = await standing.find(self._platform, request, request.path_params["invoice_id"])
        account, view, current = found.account, found.view, found.stage
        language = visits.language(request, view.invoice.locale)
        onward = ways.onward(self._platform, view, current, language)
        response = page(
            "outcome.html",
            language=language,
            site=self.site,
            form_targets=[onward.url] if onward and onward.fields is not None else [],
            state=_state(found),
            test_mode=view.invoice.test_mode,
            **look(view.invoice, account),
            outcome=outcome.told(
                current,
                view.invoice,
                view.payment,
                account,
                now=found.now,
                language=language,
                service=await ways.service_name(self._platform, view.invoice, language),
            ),
            poll=stages.unsettled(current, view.payment),
            stay="stay" in request.query_params,
            onward=onward,
        )
        return visits.remember(request, response)

    async def come_back(self, request: Request) -> Response:
        """GET or POST ``/hpp/result/{cpi_…}/return``: back from the provider's page.

        It wakes the question and decides nothing; the result page tells what has become of the payment, and leads on.
        """
        view = (await standing.find(self._platform, request, request.path_params["invoice_id"])).view
        params = await forms.returned(request)
        if view.payment is not None and view.payment.status in _AWAITED and view.invoice.session_id is None:
            await asking.ask(self._platform, view.payment, params=params)
        path = f"{urlsplit(self.site).path.rstrip('/')}/hpp/result/{view.invoice.invoice_id}"
        return RedirectResponse(path, HTTPStatus.SEE_OTHER, headers=PASSING)


def _state(found: Standing) -> str:
    """Return a word that changes whenever the page would look different."""
    late = ".late" if stages.overdue(found.stage, found.view.payment, now=found.now) else ""
    return f"{found.stage}.{found.view.invoice.status}{late}"
