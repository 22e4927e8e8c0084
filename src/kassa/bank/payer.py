"""The payer's pages, the issuer's for 3-D Secure (ACS) and the wallets': he says yes, no, or goes back without a word.

What the payer decides is in the books before the browser is sent back, and the merchant hears of it from the bank
itself: the way back carries no verdict (EMV 3-D Secure: the result goes from server to server).
"""

from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kassa.bank import operations, words
from kassa.bank.books import Books
from kassa.bank.model import Purchase, State
from kassa.bank.pages import page
from kassa.clock import Clock
from kassa.errors import NotFound

ACS_PATH = "/acs"
WALLETS_PATH = "/wallets"


class PayerPages:
    """Serves the page of every purchase that has one; the unguessable id in its path is the payer's credential."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self._books = books
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return where payers' browsers come."""
        return [
            Route(f"{ACS_PATH}/{{page}}", self.show, methods=["GET"]),
            Route(f"{ACS_PATH}/{{page}}", self.decide, methods=["POST"]),
            Route(WALLETS_PATH, self.enter, methods=["POST"]),
            Route(f"{WALLETS_PATH}/{{page}}", self.show, methods=["GET"]),
            Route(f"{WALLETS_PATH}/{{page}}", self.decide, methods=["POST"]),
        ]

    async def enter(self, request: Request) -> Response:
        """Take a payer who comes with a wallet's form to its page; the form decides nothing."""
        async with request.form() as form:
            bill = form.get("bill")
        try:
            purchase = operations.look_at_page(self._books, bill if isinstance(bill, str) else "", now=self._now())
        except NotFound:
            return _unknown(request)
        return _see(f"{WALLETS_PATH}/{purchase.page_id}")

    async def show(self, request: Request) -> Response:
        """Ask the payer, or tell that there is nothing more to ask."""
        try:
            purchase = operations.look_at_page(self._books, request.path_params["page"], now=self._now())
        except NotFound:
            return _unknown(request)
        return self._page(request, purchase)

    async def decide(self, request: Request) -> Response:
        """Take the payer's decision and send the browser back; ``abandon`` decides nothing."""
        page_id = request.path_params["page"]
        async with request.form() as form:
            decision = form.get("decision")
        try:
            match decision:
                case "approve" | "decline":
                    purchase = operations.confirm(self._books, page_id, approve=decision == "approve", now=self._now())
                case "abandon":
                    purchase = operations.look_at_page(self._books, page_id, now=self._now())
                case _:
                    purchase = operations.look_at_page(self._books, page_id, now=self._now())
                    return self._page(request, purchase, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        except NotFound:
            return _unknown(request)
        return _see(way_back(purchase))

    @staticmethod
    def _page(request: Request, purchase: Purchase, *, status: HTTPStatus = HTTPStatus.OK) -> Response:
        language = words.language(purchase.locale, request.headers.get("accept-language", ""))
        values = {"purchase": purchase, "way_back": way_back(purchase)}
        match purchase.state:
            case State.AUTHENTICATING:
                name, form_to = "challenge.html", purchase.return_url
            case State.CONFIRMING:
                name, form_to = "wallet.html", purchase.return_url
            case _:
                name, form_to = "closed.html", ""
        return page(name, values, status=status, form_to=form_to, language=language)

    def _now(self) -> datetime:
        return self._clock.now(test_mode=True)


def way_back(purchase: Purchase) -> str:
    """Return where the payer's browser goes from the page: the merchant's address, with the bank's transaction."""
    address, mark, fragment = purchase.return_url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode({'transaction': purchase.transaction_id})}{mark}{fragment}"


def _unknown(request: Request) -> Response:
    language = words.language(None, request.headers.get("accept-language", ""))
    return page("unknown.html", {}, status=HTTPStatus.NOT_FOUND, language=language)


def _see(url: str) -> Response:
    return RedirectResponse(url, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})
