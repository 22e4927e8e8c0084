"""The checkout's addresses on the base URL."""

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from kassa.checkout import links, payer_state
from kassa.checkout.payer_state import PASSING, PayerState
from kassa.invoices.operations import cancel as cancelling
from kassa.invoices.operations import polling
from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.snapshot import Snapshot
from kassa.pages import accent, assets, error_pages, forms, leaving, logos, outcome, payer_language, pictures, stages
from kassa.pages.branding import branding
from kassa.pages.languages import PARAMETERS
from kassa.pages.leaving import Note
from kassa.pages.stages import Stage
from kassa.pages.templates import page
from kassa.platform import Platform

_AWAITED: Final = frozenset({PaymentStatus.INVOKED, PaymentStatus.PROCESS_PENDING})
"""Attempts that a returning payer may have confirmed or declined."""
_CANCEL_MAX: Final = 1024
"""Bytes; the form has one field."""


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the routes that the base application mounts."""
    checkout = Checkout(platform)
    pages = Starlette(
        routes=[
            Route("/", checkout.enter, methods=["GET"]),
            Route("/result/{invoice_id}", checkout.result, methods=["GET"]),
            Route("/result/{invoice_id}/cancel", checkout.cancel, methods=["POST"]),
            Route("/result/{invoice_id}/return", checkout.come_back, methods=["GET", "POST"]),
        ],
        exception_handlers=error_pages.handlers(checkout.site),
    )
    pages.router.redirect_slashes = False
    # Some of the family's documents write the address without the slash.
    bare = Starlette(
        routes=[Route("/hpp", checkout.enter, methods=["GET"])], exception_handlers=error_pages.handlers(checkout.site)
    )
    files = [*pictures.routes(platform), logos.route(platform), accent.route(), assets.route()]
    return [Route("/hpp", bare), Mount("/hpp", pages), *files]


class Checkout:
    """The handlers."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.site = platform.settings.base_url or ""

    async def enter(self, request: Request) -> Response:
        """GET ``/hpp/?cpi={cpi_…}``, the ``hpp_url``: redirect to where this invoice is paid or shown."""
        found = await payer_state.find(self._platform, request, request.query_params.get("cpi"))
        invoice = found.view.invoice
        url = links.card_page_url(self._platform, invoice, found.stage) or links.result_url(self._platform, invoice)
        choice = {name: value for name in PARAMETERS if (value := request.query_params.get(name))}
        target = f"{url}?{urlencode(choice)}" if choice else url
        return RedirectResponse(target, HTTPStatus.SEE_OTHER, headers=PASSING)

    async def result(self, request: Request) -> Response:
        """GET ``/hpp/result/{cpi_…}``: an invoice's result, without customer or card: its id is the only credential."""
        found = await payer_state.find(self._platform, request, request.path_params["invoice_id"])
        account, view, current = found.account, found.view, found.stage
        language = payer_language.of(request, view.invoice.locale)
        onward = links.onward(self._platform, view, current, language)
        response = page(
            "outcome.html",
            language=language,
            site=self.site,
            form_targets=[onward.url] if onward and onward.fields is not None else [],
            state=_state(found),
            test_mode=view.invoice.test_mode,
            **branding(view.invoice, account),
            outcome=outcome.describe(
                current,
                view,
                account,
                now=found.now,
                language=language,
                service=await links.service_name(self._platform, view.invoice, language),
            ),
            poll=stages.unsettled(current, view.payment),
            stay="stay" in request.query_params,
            onward=onward,
            note=leaving.note(request.query_params.get("note", ""), current, language),
            **self._giving_up(found, language),
        )
        return payer_language.remember(request, response)

    async def cancel(self, request: Request) -> Response:
        """POST ``/hpp/result/{cpi_…}/cancel``: give up paying at the provider's page; it has one attempt, so it ends.

        A card payment is given up on the card page: the holder of an invoice's id may not be who entered the card.
        """
        view = (await payer_state.find(self._platform, request, request.path_params["invoice_id"])).view
        await forms.read(request, _CANCEL_MAX)
        path, payment = self._result_path(view.invoice), view.payment
        if payment is None or not self._cancellable(view):
            return RedirectResponse(path, HTTPStatus.SEE_OTHER, headers=PASSING)
        after = await cancelling.cancel(self._platform, payment)
        end = f"?note={Note.STILL_OPEN}" if self._cancellable(after) else ""
        return RedirectResponse(f"{path}{end}", HTTPStatus.SEE_OTHER, headers=PASSING)

    def _giving_up(self, found: PayerState, language: str) -> dict[str, Any]:
        """Return the form that cancels the payment, or until when a payer who cannot cancel has to wait."""
        invoice, payment = found.view.invoice, found.view.payment
        if found.stage is not Stage.CONFIRM or invoice.session_id is not None:
            return {}
        if not self._cancellable(found.view):
            return {"deadline": leaving.deadline(invoice, payment, language)}
        now = self._platform.clock.now(test_mode=invoice.test_mode)
        url = f"{self._result_path(invoice)}/cancel"
        return {"give_up": leaving.give_up(invoice, payment, url, language=language, now=now)}

    def _cancellable(self, view: Snapshot) -> bool:
        return view.invoice.session_id is None and cancelling.cancellable(self._platform, view.payment)

    def _result_path(self, invoice: Invoice) -> str:
        return f"{urlsplit(self.site).path.rstrip('/')}/hpp/result/{invoice.invoice_id}"

    async def come_back(self, request: Request) -> Response:
        """GET or POST ``/hpp/result/{cpi_…}/return``: back from the provider's page.

        It polls the provider and decides nothing; the result page shows the payment.
        """
        view = (await payer_state.find(self._platform, request, request.path_params["invoice_id"])).view
        params = await forms.returned(request)
        if view.payment is not None and view.payment.status in _AWAITED and view.invoice.session_id is None:
            await polling.poll(self._platform, view.payment, params=params, snapshot=view)
        return RedirectResponse(self._result_path(view.invoice), HTTPStatus.SEE_OTHER, headers=PASSING)


def _state(found: PayerState) -> str:
    """Return a value that changes whenever the page does."""
    late = ".late" if stages.overdue(found.stage, found.view.payment, now=found.now) else ""
    return f"{found.stage}.{found.view.invoice.status}{late}"
