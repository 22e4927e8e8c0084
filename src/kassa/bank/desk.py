"""The bank's desk: a page with the newest purchases, where a person settles those that the issuer left open.

This is how a success that comes late is played. Whoever reaches the bank may use it: the money is not real.
"""

from datetime import datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kassa.bank import cards, operations, queries
from kassa.bank.badness import BadDays
from kassa.bank.books import Books
from kassa.bank.days import WORDS
from kassa.bank.model import State
from kassa.bank.pages import page
from kassa.clock import Clock
from kassa.errors import BadRequest

SHOWN = 50


class Desk:
    """Serves the desk."""

    def __init__(self, books: Books, clock: Clock, days: BadDays) -> None:
        self._books = books
        self._days = days
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return where the clerk's browser comes."""
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/desk/{merchant}/{order}", self.settle, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """List the newest purchases."""
        purchases = queries.recent_purchases(self._books.connection, limit=SHOWN)
        values = {"texts": cards.TEXTS, "open": State.PROCESSING, "days": WORDS, "called": self._days.called}
        return page("desk.html", {"purchases": purchases, **values})

    async def settle(self, request: Request) -> Response:
        """Approve or decline a purchase in processing (form field ``decision``), and go back to the list."""
        async with request.form() as form:
            decision = form.get("decision")
        if decision not in ("approve", "decline"):
            raise BadRequest("The decision is approve or decline.")
        operations.settle(
            self._books,
            merchant_id=request.path_params["merchant"],
            order_ref=request.path_params["order"],
            approve=decision == "approve",
            now=self._now(),
        )
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)

    def _now(self) -> datetime:
        return self._clock.now(test_mode=True)
