"""The card gate's routes: the card form, 3-D Secure there and back, and the payment's result."""

from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kassa.cardgate import brands, charge, form, sale, views
from kassa.cardgate.charge import Session
from kassa.cardgate.form import Entry
from kassa.pages import accent, assets, error_pages, forms, logos, payer_language
from kassa.pages.leaving import Note
from kassa.pages.return_links import foreign_host, return_url
from kassa.pages.stages import Stage
from kassa.platform import Platform
from kassa.providers.protocol import Card

_KNOWN: Final = frozenset({Stage.PAID, Stage.FAILED, Stage.EXPIRED, Stage.RETURNED})
"""Stages in which the payer has nothing to do or to wait for."""


def create(platform: Platform) -> ASGIApp:
    """Return the card gate, to be served under its own base URL."""
    gate = Gate(platform)
    made = Starlette(
        routes=[
            Route("/hpp/{session_id}", gate.show, methods=["GET"]),
            Route("/hpp/{session_id}", gate.submit, methods=["POST"]),
            Route("/hpp/{session_id}/cancel", gate.cancel, methods=["POST"]),
            Route("/hpp/{session_id}/3ds", gate.forward, methods=["GET"]),
            Route("/hpp/{session_id}/return", gate.come_back, methods=["GET", "POST"]),
            *sale.routes(platform),
            accent.route(),
            logos.route(platform),
            assets.route(),
        ],
        exception_handlers=error_pages.handlers(gate.site),
    )
    made.router.redirect_slashes = False
    return made


class Gate:
    """The handlers. Every POST is answered with a redirect, so back and reload show the current state."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.site = platform.settings.gate_url or ""

    async def show(self, request: Request) -> Response:
        """GET ``/hpp/{cgi_…}``: the form while it can be paid, else the result."""
        session = await self._session(request)
        language = payer_language.of(request, session.invoice.locale)
        if views.stage(session) is Stage.PAYABLE:
            return payer_language.remember(request, views.card_page(session, language=language, site=self.site))
        stay = "stay" in request.query_params
        url = None if stay else self._bypass(session)
        if url is not None:
            return views.leave_page(session, url, language=language, site=self.site)
        note = request.query_params.get("note", "")
        return payer_language.remember(
            request, views.outcome_page(session, language=language, site=self.site, stay=stay, note=note)
        )

    async def submit(self, request: Request) -> Response:
        """POST ``/hpp/{cgi_…}``: pay with the card in the form; 422 with the form again where the card is invalid."""
        session = await self._session(request)
        entry = form.read(await forms.read(request, form.BODY_MAX))
        if views.stage(session) is not Stage.PAYABLE or entry.attempt != session.invoice.attempts + 1:
            return self._onward(session, entry)
        lengths = views.options(session).number_lengths
        language = payer_language.of(request, session.invoice.locale)
        card = form.check(entry, now=session.now, test_mode=session.invoice.test_mode, lengths=lengths)
        if not isinstance(card, Card):
            return views.card_page(
                session,
                language=language,
                site=self.site,
                faults=card,
                brand=brands.find(entry.number),
            )
        client_ip = request.client.host if request.client else ""
        await charge.pay(self._platform, session, number=entry.attempt, card=card, client_ip=client_ip, locale=language)
        return self._onward(await self._session(request), entry)

    async def cancel(self, request: Request) -> Response:
        """POST ``/hpp/{cgi_…}/cancel``: give up 3-D Secure of the form's attempt ``number`` for another card."""
        session = await self._session(request)
        entry = form.read(await forms.read(request, form.BODY_MAX))
        await charge.cancel(self._platform, session, number=entry.attempt)
        after = await self._session(request)
        still_open = session.cancellable and entry.attempt == after.invoice.attempts and after.cancellable
        return self._see(views.path(after, self.site, f"?note={Note.STILL_OPEN}" if still_open else ""))

    async def forward(self, request: Request) -> Response:
        """GET ``/hpp/{cgi_…}/3ds``: go on to the bank's page."""
        session = await self._session(request)
        if views.stage(session) is not Stage.CONFIRM:
            return self._see(views.path(session, self.site))
        language = payer_language.of(request, session.invoice.locale)
        return views.forward_page(session, language=language, site=self.site)

    async def come_back(self, request: Request) -> Response:
        """GET or POST ``/hpp/{cgi_…}/return``: back from the bank's page. It polls the provider and decides nothing."""
        session = await self._session(request)
        await charge.come_back(self._platform, session, await forms.returned(request))
        return self._see(views.path(session, self.site))

    async def _session(self, request: Request) -> Session:
        client_ip = request.client.host if request.client else ""
        with self._platform.rate_limits.misses.guessing(client_ip):
            return await charge.open_session(self._platform, request.path_params["session_id"])

    @staticmethod
    def _bypass(session: Session) -> str | None:
        """Return where the payer goes on a known result, if the merchant wants no result page of ours; else None."""
        current = views.stage(session)
        if current not in _KNOWN or not views.options(session).bypass_status_page:
            return None
        url = return_url(session.invoice, session.account, current)
        foreign = url is not None and foreign_host(url, session.invoice, session.account) is not None
        return None if foreign else url

    def _onward(self, session: Session, entry: Entry) -> Response:
        if _is_other_card(session, entry):
            return self._see(views.path(session, self.site, f"?note={Note.OTHER_CARD}"))
        end = "/3ds" if views.stage(session) is Stage.CONFIRM else ""
        return self._see(views.path(session, self.site, end))

    @staticmethod
    def _see(path: str) -> Response:
        headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
        return RedirectResponse(path, HTTPStatus.SEE_OTHER, headers=headers)


def _is_other_card(session: Session, entry: Entry) -> bool:
    """Return whether another card was sent while a payment is open: it is not charged, and the payer is shown that.

    A second click sends the same card, and leads to the same page as the first.
    """
    card = session.payment.card if session.payment else None
    is_open = views.stage(session) in {Stage.CONFIRM, Stage.PENDING}
    return is_open and card is not None and bool(entry.number) and not form.same_card(entry, card)
