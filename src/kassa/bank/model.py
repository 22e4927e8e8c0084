"""What may become of a purchase at the bank.

::

    order ──► AUTHENTICATING | CONFIRMING ── approve ──► ┐
      │             └── no, cancel, time up ──► REFUSED  │
      └── (a card without 3-D Secure, a scenario) ─────► ┴─► APPROVED | REFUSED | PROCESSING
                                                                 PROCESSING ── the desk ──► APPROVED | REFUSED

AUTHENTICATING waits for the payer at a card's 3-D Secure page, CONFIRMING at a wallet's. APPROVED and REFUSED are
final. ``check_only`` purchases are approved without taking anything. Of what was taken, the merchant gives back by
refunds, and the payer's bank takes back by charge-backs; those heed no refund, as in the world outside.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

import msgspec

from kassa.bank import cards, days, instruments
from kassa.bank.days import Day
from kassa.bank.instruments import SCENARIOS, WALLET_AMOUNT_MAX, CardData, Instrument, Scenario, Wallet
from kassa.errors import Conflict

CHALLENGE_LIFETIME = timedelta(minutes=30)


class State(StrEnum):
    """Where a purchase or a refund stands, in the bank's words."""

    AUTHENTICATING = "AUTHENTICATING"
    CONFIRMING = "CONFIRMING"
    PROCESSING = "PROCESSING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"

    @property
    def final(self) -> bool:
        """Tell whether the bank has spoken its last word."""
        return self in (State.APPROVED, State.REFUSED)

    @property
    def payers(self) -> bool:
        """Tell whether the bank waits for the payer, who has a page to decide on."""
        return self in (State.AUTHENTICATING, State.CONFIRMING)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant asks for. ``order_ref`` is its own name for it, and the idempotency key."""

    merchant_id: str
    order_ref: str
    amount: int
    currency: str
    description: str | None
    check_only: bool
    return_url: str
    notify_url: str
    valid_until: datetime
    instrument: Instrument
    day: Day | None = None
    locale: str | None = None
    shop: str | None = None
    reference: str | None = None
    invoice: str | None = None


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the books have it. It has the facts of one instrument: a card, a wallet or a scenario."""

    merchant_id: str
    order_ref: str
    transaction_id: str
    amount: int
    """Minor units."""
    currency: str
    description: str | None
    check_only: bool
    card_first: str | None = None
    card_last: str | None = None
    card_expiry: str | None = None
    wallet: str | None = None
    scenario: str | None = None
    return_url: str
    notify_url: str
    state: State
    issuer_code: str | None
    """What the issuer, or the wallet, will say as soon as it is asked; None: it will not decide."""
    response_code: str | None = None
    page_id: str | None = None
    page_until: datetime | None = None
    rrn: str | None = None
    approval_code: str | None = None
    charge_backs: tuple[int, ...] = ()
    """What the payer's bank has taken back, the oldest first; the books keep each in a row of its own."""
    day: Day | None = None
    """What goes wrong with it."""
    created_at: datetime
    updated_at: datetime
    """When its state changed last: once it is approved, when it was booked."""
    locale: str | None = None
    """The payer's language."""
    shop: str | None = None
    """The name that the payer knows the merchant by."""
    reference: str | None = None
    """The merchant's own name for what is paid."""
    invoice: str | None = None
    """The gateway's name for it."""

    @property
    def facts(self) -> instruments.Facts:
        """What the books keep of the instrument."""
        return msgspec.convert(self, instruments.Facts, from_attributes=True)

    @property
    def charged_back(self) -> int:
        """What the payer's bank has taken back in all."""
        return sum(self.charge_backs)

    def asks_the_same(self, order: Order) -> bool:
        """Tell whether an order that comes again under the same name is the same order."""
        return (self.amount, self.currency, self.check_only, self.facts) == (
            *days.taken(self.day, order.amount, order.currency),
            order.check_only,
            instruments.facts(order.instrument),
        )

    @property
    def cancelled(self) -> bool:
        """Return whether the merchant closed it before the payer had decided."""
        return self.response_code == cards.CANCELLED

    def timed_out(self, now: datetime) -> bool:
        """Tell whether the payer's time to decide is over."""
        return self.state.payers and self.page_until is not None and now >= self.page_until


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money asked back. ``refund_ref`` is the merchant's name for it, and the idempotency key."""

    merchant_id: str
    refund_ref: str
    order_ref: str
    transaction_id: str
    amount: int
    currency: str
    state: State
    response_code: str
    rrn: str | None
    created_at: datetime


class ChargeBack(msgspec.Struct, frozen=True, kw_only=True):
    """Money that the payer's bank took back."""

    merchant_id: str
    order_ref: str
    transaction_id: str
    amount: int
    currency: str
    rrn: str
    created_at: datetime


def opened(order: Order, *, transaction_id: str, page_id: str, now: datetime) -> Purchase:
    """Return the purchase that an order begins as: on the payer's page, or in the issuer's hands."""
    state, issuer_code, page_until = _first_step(order, now)
    amount, currency = days.taken(order.day, order.amount, order.currency)
    return Purchase(
        merchant_id=order.merchant_id,
        order_ref=order.order_ref,
        transaction_id=transaction_id,
        amount=amount,
        currency=currency,
        description=order.description,
        check_only=order.check_only,
        return_url=order.return_url,
        notify_url=order.notify_url,
        state=state,
        issuer_code=issuer_code,
        page_id=page_id if page_until else None,
        page_until=page_until,
        day=order.day,
        locale=order.locale,
        shop=order.shop,
        reference=order.reference,
        invoice=order.invoice,
        created_at=now,
        updated_at=now,
        **msgspec.structs.asdict(instruments.facts(order.instrument)),
    )


def _first_step(order: Order, now: datetime) -> tuple[State, str | None, datetime | None]:
    """Return where an order begins, what its issuer will say, and until when its payer may decide."""
    match order.instrument:
        case CardData(number=number, expiry=expiry):
            verdict = cards.verdict(number, expiry)
            if not verdict.secure:
                return State.PROCESSING, verdict.code, None
            return State.AUTHENTICATING, verdict.code, min(now + CHALLENGE_LIFETIME, order.valid_until)
        case Wallet() if order.amount > WALLET_AMOUNT_MAX:
            return State.PROCESSING, cards.LIMIT_EXCEEDED, None
        case Wallet():
            return State.CONFIRMING, cards.APPROVED, order.valid_until
        case Scenario(name=name):
            return State.PROCESSING, SCENARIOS[name], None
        case _:
            assert_never(order.instrument)


def approved(purchase: Purchase, *, rrn: str, approval_code: str, now: datetime) -> Purchase:
    """Return a purchase that the issuer agreed to."""
    return msgspec.structs.replace(
        purchase,
        state=State.APPROVED,
        response_code=cards.APPROVED,
        rrn=rrn,
        approval_code=approval_code,
        updated_at=now,
    )


def refused(purchase: Purchase, code: str, *, now: datetime) -> Purchase:
    """Return a purchase that will never be taken."""
    return msgspec.structs.replace(purchase, state=State.REFUSED, response_code=code, updated_at=now)


def told(purchase: Purchase) -> Purchase:
    """Return a purchase as the answer to its order tells it, which on one bad day is not how it stands."""
    if purchase.day is not Day.LATE_TRUTH or purchase.state is not State.APPROVED:
        return purchase
    return msgspec.structs.replace(
        purchase, state=State.REFUSED, response_code=cards.DO_NOT_HONOUR, rrn=None, approval_code=None
    )


def refund_code(purchase: Purchase, *, refunded: int, amount: int, currency: str) -> str:
    """Return the response code to a refund; ``refunded`` went back before. Never more goes back than was taken."""
    if purchase.state is not State.APPROVED or purchase.check_only or currency != purchase.currency:
        return cards.INVALID_TRANSACTION
    if refunded + purchase.charged_back + amount > purchase.amount:
        return cards.INVALID_AMOUNT
    return cards.APPROVED


def charged_back(purchase: Purchase, amount: int | None) -> Purchase:
    """Return a purchase of which the payer's bank has taken an amount back, or all that it has not taken yet.

    Raises ``Conflict`` where there is not as much.
    """
    left = purchase.amount - purchase.charged_back
    wanted = left if amount is None else amount
    if purchase.state is not State.APPROVED or purchase.check_only or not 0 < wanted <= left:
        raise Conflict("This purchase has not as much to charge back.")
    return msgspec.structs.replace(purchase, charge_backs=(*purchase.charge_backs, wanted))
