"""The bank's desk: a page with the newest purchases, where a person resolves those that the issuer left pending.

This is how late successes, chargebacks and refunds that come back are simulated. Anyone who can reach the bank may use
it: the money is not real.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kassa import money
from kassa.bank import cards, operations, queries
from kassa.bank.books import Books
from kassa.bank.chargebacks import REASONS
from kassa.bank.fault_injection import FaultInjector
from kassa.bank.faults import DESCRIPTIONS
from kassa.bank.model import State
from kassa.bank.pages import page
from kassa.clock import Clock
from kassa.errors import AmountRefused, BadRequest, NotFound

SHOWN = 50


class Desk:
    """Serves the desk."""

    def __init__(self, books: Books, clock: Clock, faults: FaultInjector) -> None:
        self._books = books
        self._faults = faults
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Return the desk's routes."""
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/desk/{merchant}/{order}", self.resolve, methods=["POST"]),
            Route("/desk/{merchant}/{order}/charge-back", self.charge_back, methods=["POST"]),
            Route("/desk/{merchant}/{order}/charge-backs/{transaction}", self.decide, methods=["POST"]),
            Route("/desk/{merchant}/{order}/refunds/{refund}/return", self.return_refund, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """List the newest purchases, or those that match ``q``."""
        wanted = request.query_params.get("q", "").strip()
        purchases = queries.recent_purchases(self._books.connection, wanted=wanted, limit=SHOWN)
        taken = [each for each in purchases if each.state is State.APPROVED and not each.check_only]
        refunds = {
            each.order_ref: queries.refunds_of(
                self._books.connection, merchant_id=each.merchant_id, order_ref=each.order_ref
            )
            for each in taken
        }
        facts = {
            "refunds": refunds,
            "reasons": REASONS,
            "purchases": purchases,
            "responses": cards.TEXTS,
            "open": State.PROCESSING,
            "taken": taken,
        }
        return page("desk.html", {**facts, "wanted": wanted, "faults": DESCRIPTIONS, "injected": self._faults.injected})

    async def resolve(self, request: Request) -> Response:
        """Approve or decline a purchase in processing (form field ``decision``), and go back to the list."""
        async with request.form() as form:
            decision = form.get("decision")
        if decision not in ("approve", "decline"):
            raise BadRequest("The decision is approve or decline.")
        operations.resolve(
            self._books,
            merchant_id=request.path_params["merchant"],
            order_ref=request.path_params["order"],
            approve=decision == "approve",
            now=self._now(),
        )
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)

    async def charge_back(self, request: Request) -> Response:
        """Take a purchase's money back, as much as the form field ``amount`` says or all, and go back to the list.

        The form field ``reason`` is one of ``REASONS``, by default the first.
        """
        merchant_id, order_ref = request.path_params["merchant"], request.path_params["order"]
        purchase = queries.find_purchase(self._books.connection, merchant_id=merchant_id, order_ref=order_ref)
        if purchase is None:
            raise NotFound("There is no such order.")
        async with request.form() as form:
            text = str(form.get("amount") or "").strip()
            reason = str(form.get("reason") or REASONS[0])
        if reason not in REASONS:
            raise BadRequest(f"The reason is one of {', '.join(REASONS)}.")
        operations.charge_back(
            self._books,
            merchant_id=merchant_id,
            order_ref=order_ref,
            amount=_minor(text, purchase.currency) if text else None,
            reason=reason,
            now=self._now(),
        )
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)

    async def decide(self, request: Request) -> Response:
        """Decide a chargeback (form field ``decision``, ``won`` or ``lost``), and go back to the list."""
        async with request.form() as form:
            decision = form.get("decision")
        if decision not in ("won", "lost"):
            raise BadRequest("The decision is won or lost.")
        operations.decide_charge_back(
            self._books,
            merchant_id=request.path_params["merchant"],
            order_ref=request.path_params["order"],
            transaction_id=request.path_params["transaction"],
            won=decision == "won",
            now=self._now(),
        )
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)

    async def return_refund(self, request: Request) -> Response:
        """Let a refund come back undelivered, and go back to the list."""
        operations.return_refund(
            self._books,
            merchant_id=request.path_params["merchant"],
            order_ref=request.path_params["order"],
            refund_ref=request.path_params["refund"],
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
