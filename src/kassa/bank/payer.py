"""The payer's pages, of the issuer for 3-D Secure (ACS) and of the wallets: approve, decline, or go back undecided.

The payer's choice is booked before the browser is sent back, and the bank notifies the merchant itself: the return
address carries no result (EMV 3-D Secure: it goes from server to server).
"""

from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kassa.bank import operations, texts
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
        """Return the payers' routes."""
        return [
            Route(f"{ACS_PATH}/{{page}}", self.show, methods=["GET"]),
            Route(f"{ACS_PATH}/{{page}}", self.decide, methods=["POST"]),
            Route(WALLETS_PATH, self.enter, methods=["POST"]),
            Route(f"{WALLETS_PATH}/{{page}}", self.show, methods=["GET"]),
            Route(f"{WALLETS_PATH}/{{page}}", self.decide, methods=["POST"]),
        ]

    async def enter(self, request: Request) -> Response:
        """Redirect a payer who comes with a wallet's form to its page; the form decides nothing."""
        async with request.form() as form:
            bill = form.get("bill")
        try:
            purchase = operations.purchase_by_page(self._books, bill if isinstance(bill, str) else "", now=self._now())
        except NotFound:
            return _unknown(request)
        return _see(f"{WALLETS_PATH}/{purchase.page_id}")

    async def show(self, request: Request) -> Response:
        """Show the page to confirm on, or that there is nothing left to confirm."""
        try:
            purchase = operations.purchase_by_page(self._books, request.path_params["page"], now=self._now())
        except NotFound:
            return _unknown(request)
        return self._page(request, purchase)

    async def decide(self, request: Request) -> Response:
        """Apply the payer's choice and send the browser back; ``abandon`` decides nothing."""
        page_id = request.path_params["page"]
        async with request.form() as form:
            decision = form.get("decision")
        try:
            match decision:
                case "approve" | "decline":
                    purchase = operations.confirm(self._books, page_id, approve=decision == "approve", now=self._now())
                case "abandon":
                    purchase = operations.purchase_by_page(self._books, page_id, now=self._now())
                case _:
                    purchase = operations.purchase_by_page(self._books, page_id, now=self._now())
                    return self._page(request, purchase, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        except NotFound:
            return _unknown(request)
        return _see(return_url(purchase))

    @staticmethod
    def _page(request: Request, purchase: Purchase, *, status: HTTPStatus = HTTPStatus.OK) -> Response:
        language = texts.language(purchase.locale, request.headers.get("accept-language", ""))
        values = {"purchase": purchase, "return_url": return_url(purchase)}
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


def return_url(purchase: Purchase) -> str:
    """Return where the payer's browser goes from the page: the merchant's address with the bank's transaction id."""
    address, mark, fragment = purchase.return_url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode({'transaction': purchase.transaction_id})}{mark}{fragment}"


def _unknown(request: Request) -> Response:
    language = texts.language(None, request.headers.get("accept-language", ""))
    return page("unknown.html", {}, status=HTTPStatus.NOT_FOUND, language=language)


def _see(url: str) -> Response:
    return RedirectResponse(url, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})
