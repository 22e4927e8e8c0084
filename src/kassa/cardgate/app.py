"""The card gate's addresses: the card form, 3-D Secure there and back, and what has become of the payment."""

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
from kassa.pages import accent, assets, forms, logos, mishaps, visits
from kassa.pages.leaving import Note
from kassa.pages.stages import Stage
from kassa.pages.way_back import foreign_host, way_back
from kassa.platform import Platform
from kassa.providers.protocol import Card

_KNOWN: Final = frozenset({Stage.PAID, Stage.FAILED, Stage.EXPIRED, Stage.RETURNED})
"""Where the payer has nothing to do and nothing to wait for."""


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
        exception_handlers=mishaps.handlers(gate.site),
    )
    made.router.redirect_slashes = False
    return made


class Gate:
    """The handlers. Every POST is answered with a redirect, so back and reload land on the present state."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.site = platform.settings.gate_url or ""

    async def show(self, request: Request) -> Response:
        """GET ``/hpp/{cgi_…}``: the form while it can be paid, else what has become of it."""
        session = await self._session(request)
        language = visits.language(request, session.invoice.locale)
        if views.stage(session) is Stage.PAYABLE:
            return visits.remember(request, views.card_page(session, language=language, site=self.site))
        stay = "stay" in request.query_params
        url = None if stay else self._bypass(session)
        if url is not None:
            return views.leave_page(session, url, language=language, site=self.site)
        note = request.query_params.get("note", "")
        return visits.remember(
            request, views.outcome_page(session, language=language, site=self.site, stay=stay, note=note)
        )

    async def submit(self, request: Request) -> Response:
        """POST ``/hpp/{cgi_…}``: pay with the card in the form; 422 with the form again when it cannot be right."""
        session = await self._session(request)
        entry = form.read(await forms.read(request, form.BODY_MAX))
        if views.stage(session) is not Stage.PAYABLE or entry.attempt != session.invoice.attempts + 1:
            return self._onward(session, entry)
        lengths = views.options(session).number_lengths
        language = visits.language(request, session.invoice.locale)
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
        """POST ``/hpp/{cgi_…}/cancel``: give up 3-D Secure, to use another card; the form's ``number`` says which."""
        session = await self._session(request)
        entry = form.read(await forms.read(request, form.BODY_MAX))
        await charge.cancel(self._platform, session, number=entry.attempt)
        after = await self._session(request)
        still_open = session.cancellable and entry.attempt == after.invoice.attempts and after.cancellable
        return self._see(views.path(after, self.site, f"?note={Note.STILL_OPEN}" if still_open else ""))

    async def forward(self, request: Request) -> Response:
        """GET ``/hpp/{cgi_…}/3ds``: on to the bank's page."""
        session = await self._session(request)
        if views.stage(session) is not Stage.CONFIRM:
            return self._see(views.path(session, self.site))
        language = visits.language(request, session.invoice.locale)
        return views.forward_page(session, language=language, site=self.site)

    async def come_back(self, request: Request) -> Response:
        """GET or POST ``/hpp/{cgi_…}/return``: back from the bank's page. It wakes the question and decides nothing."""
        session = await self._session(request)
        await charge.come_back(self._platform, session, await forms.returned(request))
        return self._see(views.path(session, self.site))

    async def _session(self, request: Request) -> Session:
        client_ip = request.client.host if request.client else ""
        with self._platform.paces.misses.guessing(client_ip):
            return await charge.open_session(self._platform, request.path_params["session_id"])

    @staticmethod
    def _bypass(session: Session) -> str | None:
        """Return where the payer goes once the outcome is known, where the merchant wants no page of ours about it."""
        current = views.stage(session)
        if current not in _KNOWN or not views.options(session).bypass_status_page:
            return None
        url = way_back(session.invoice, session.account, current)
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
    """Return whether another card was sent while a payment is open: it is not charged, and the payer has to know.

    A second click sends the same card, and goes on to where the first one leads.
    """
    card = session.payment.card if session.payment else None
    is_open = views.stage(session) in {Stage.CONFIRM, Stage.PENDING}
    return is_open and card is not None and bool(entry.number) and not form.same_card(entry, card)
