"""The states of a purchase at the bank, and what changes them. Pure.

::

    order ──► AUTHENTICATING | CONFIRMING ── approve ──► ┐
      │             └── no, cancel, time up ──► REFUSED  │
      └── (a card without 3-D Secure, a scenario) ─────► ┴─► APPROVED | REFUSED | PROCESSING
                                                                 PROCESSING ── the desk ──► APPROVED | REFUSED

AUTHENTICATING waits for the payer at a card's 3-D Secure page, CONFIRMING at a wallet's. APPROVED and REFUSED are
final. ``check_only`` purchases are approved without taking anything. The merchant returns money by refunds, and the
payer's bank takes it back by chargebacks, regardless of refunds, as real banks do. The desk decides a chargeback
once: WON, its money is the merchant's again, or LOST. A refund that was approved may come back: RETURNED.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

import msgspec

from kassa.bank import cards, faults, instruments
from kassa.bank.chargebacks import RESPONSE_LIFETIME, Chargeback, Decision
from kassa.bank.faults import Fault
from kassa.bank.instruments import SCENARIOS, WALLET_AMOUNT_MAX, CardData, Instrument, Scenario, Wallet
from kassa.errors import Conflict

CHALLENGE_LIFETIME = timedelta(minutes=30)


class State(StrEnum):
    """The state of a purchase or a refund, in the bank's own vocabulary."""

    AUTHENTICATING = "AUTHENTICATING"
    CONFIRMING = "CONFIRMING"
    PROCESSING = "PROCESSING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    RETURNED = "RETURNED"
    """A refund that was approved, and that the payer's bank could not deliver."""

    @property
    def final(self) -> bool:
        """Whether it never changes any more."""
        return self in (State.APPROVED, State.REFUSED)

    @property
    def payers(self) -> bool:
        """Whether the payer has to confirm or decline on a page."""
        return self in (State.AUTHENTICATING, State.CONFIRMING)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant's order. ``order_ref`` is the merchant's name for it, and the idempotency key."""

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
    fault: Fault | None = None
    locale: str | None = None
    shop: str | None = None
    reference: str | None = None
    invoice: str | None = None


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it is booked. It has the facts of one instrument: a card, a wallet or a scenario."""

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
    """The response code that the issuer, or the wallet, will give; None where it leaves the purchase pending."""
    response_code: str | None = None
    page_id: str | None = None
    page_until: datetime | None = None
    rrn: str | None = None
    approval_code: str | None = None
    charge_backs: tuple[Chargeback, ...] = ()
    """Its chargebacks, oldest first."""
    fault: Fault | None = None
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
        """What is kept of the instrument."""
        return msgspec.convert(self, instruments.Facts, from_attributes=True)

    @property
    def charged_back(self) -> int:
        """The sum of its chargebacks, without those that the merchant has won."""
        return sum(each.amount for each in self.charge_backs if each.state is not Decision.WON)

    def matches(self, order: Order) -> bool:
        """Return whether an order of the same name is a repeat of this one."""
        return (self.amount, self.currency, self.check_only, self.facts) == (
            *faults.amount_taken(self.fault, order.amount, order.currency),
            order.check_only,
            instruments.facts(order.instrument),
        )

    @property
    def cancelled(self) -> bool:
        """Whether the merchant cancelled it before the payer had confirmed."""
        return self.response_code == cards.CANCELLED

    def timed_out(self, now: datetime) -> bool:
        """Return whether the payer's time to confirm is over."""
        return self.state.payers and self.page_until is not None and now >= self.page_until


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund. ``refund_ref`` is the merchant's name for it, and the idempotency key."""

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
    returned_rrn: str | None = None
    """Under which its money came back to the merchant, where it did."""
    returned_at: datetime | None = None


def opened(order: Order, *, transaction_id: str, page_id: str, now: datetime) -> Purchase:
    """Return the new purchase of an order: waiting for its payer, or in processing."""
    state, issuer_code, page_until = _first_step(order, now)
    amount, currency = faults.amount_taken(order.fault, order.amount, order.currency)
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
        fault=order.fault,
        locale=order.locale,
        shop=order.shop,
        reference=order.reference,
        invoice=order.invoice,
        created_at=now,
        updated_at=now,
        **msgspec.structs.asdict(instruments.facts(order.instrument)),
    )


def _first_step(order: Order, now: datetime) -> tuple[State, str | None, datetime | None]:
    """Return an order's first state, the issuer's response code, and until when the payer may confirm."""
    match order.instrument:
        case CardData(number=number, expiry=expiry):
            answer = cards.issuer_answer(number, expiry)
            if not answer.secure:
                return State.PROCESSING, answer.code, None
            return State.AUTHENTICATING, answer.code, min(now + CHALLENGE_LIFETIME, order.valid_until)
        case Wallet() if order.amount > WALLET_AMOUNT_MAX:
            return State.PROCESSING, cards.LIMIT_EXCEEDED, None
        case Wallet():
            return State.CONFIRMING, cards.APPROVED, order.valid_until
        case Scenario(name=name):
            return State.PROCESSING, SCENARIOS[name], None
        case _:
            assert_never(order.instrument)


def approved(purchase: Purchase, *, rrn: str, approval_code: str, now: datetime) -> Purchase:
    """Return the purchase, approved by the issuer."""
    return msgspec.structs.replace(
        purchase,
        state=State.APPROVED,
        response_code=cards.APPROVED,
        rrn=rrn,
        approval_code=approval_code,
        updated_at=now,
    )


def refused(purchase: Purchase, code: str, *, now: datetime) -> Purchase:
    """Return the purchase, refused for good."""
    return msgspec.structs.replace(purchase, state=State.REFUSED, response_code=code, updated_at=now)


def as_answered(purchase: Purchase) -> Purchase:
    """Return a purchase as the answer to its order shows it, which with one fault is not the truth."""
    if purchase.fault is not Fault.LATE_TRUTH or purchase.state is not State.APPROVED:
        return purchase
    return msgspec.structs.replace(
        purchase, state=State.REFUSED, response_code=cards.DO_NOT_HONOUR, rrn=None, approval_code=None
    )


def refund_code(purchase: Purchase, *, refunded: int, amount: int, currency: str) -> str:
    """Return the response code to a refund, where ``refunded`` minor units went back before it.

    No more is refunded than was taken.
    """
    if purchase.state is not State.APPROVED or purchase.check_only or currency != purchase.currency:
        return cards.INVALID_TRANSACTION
    if refunded + purchase.charged_back + amount > purchase.amount:
        return cards.INVALID_AMOUNT
    return cards.APPROVED


def charged_back(
    purchase: Purchase, amount: int | None, *, reason: str, transaction_id: str, rrn: str, now: datetime
) -> Chargeback:
    """Return one more chargeback of a purchase, of ``amount`` minor units or of all that is left.

    Raises ``Conflict`` where less than that is left.
    """
    left = purchase.amount - purchase.charged_back
    wanted = left if amount is None else amount
    if purchase.state is not State.APPROVED or purchase.check_only or not 0 < wanted <= left:
        raise Conflict("Less than this is left to charge back.")
    return Chargeback(
        merchant_id=purchase.merchant_id,
        order_ref=purchase.order_ref,
        transaction_id=transaction_id,
        amount=wanted,
        currency=purchase.currency,
        rrn=rrn,
        created_at=now,
        reason=reason,
        respond_by=now + RESPONSE_LIFETIME,
    )


def returned(refund: Refund, *, rrn: str, now: datetime) -> Refund:
    """Return a refund whose money came back, because the payer's bank could not deliver it.

    Raises ``Conflict`` unless it was approved.
    """
    if refund.state is not State.APPROVED:
        raise Conflict("Only a refund that was approved can come back.")
    return msgspec.structs.replace(
        refund, state=State.RETURNED, response_code=cards.RESTRICTED_CARD, returned_rrn=rrn, returned_at=now
    )
