"""The bank's desk: a page with the newest purchases, where a person settles those that the issuer left open.

This is how a success that comes late is played, and how a payer's bank charges money back. Whoever reaches the bank may
use it: the money is not real.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kassa import money
from kassa.bank import cards, operations, queries
from kassa.bank.badness import BadDays
from kassa.bank.books import Books
from kassa.bank.days import WORDS
from kassa.bank.model import State
from kassa.bank.pages import page
from kassa.clock import Clock
from kassa.errors import AmountRefused, BadRequest, NotFound

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
            Route("/desk/{merchant}/{order}/charge-back", self.charge_back, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """List the newest purchases, or those in which the words of ``q`` are found."""
        wanted = request.query_params.get("q", "").strip()
        purchases = queries.recent_purchases(self._books.connection, words=wanted, limit=SHOWN)
        taken = [each for each in purchases if each.state is State.APPROVED and not each.check_only]
        facts = {"purchases": purchases, "texts": cards.TEXTS, "open": State.PROCESSING, "taken": taken}
        return page("desk.html", {**facts, "wanted": wanted, "days": WORDS, "called": self._days.called})

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

    async def charge_back(self, request: Request) -> Response:
        """Take a purchase's money back, as much as the form field ``amount`` says or all, and go back to the list."""
        merchant_id, order_ref = request.path_params["merchant"], request.path_params["order"]
        purchase = queries.find_purchase(self._books.connection, merchant_id=merchant_id, order_ref=order_ref)
        if purchase is None:
            raise NotFound("There is no such order.")
        async with request.form() as form:
            text = str(form.get("amount") or "").strip()
        operations.charge_back(
            self._books,
            merchant_id=merchant_id,
            order_ref=order_ref,
            amount=_minor(text, purchase.currency) if text else None,
            now=self._now(),
        )
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)

    def _now(self) -> datetime:
        return self._clock.now(test_mode=True)


def _minor(text: str, currency: str) -> int:
    try:
        return money.to_minor(Decimal(text), currency)
    except (InvalidOperation, AmountRefused):
        raise BadRequest("The amount is a decimal of the purchase's currency.") from None
