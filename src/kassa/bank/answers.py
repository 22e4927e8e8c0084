"""Purchases and refunds as JSON: the same in the bank's answers and in its notifications."""

from typing import Literal

import msgspec

from kassa.bank import cards
from kassa.bank.chargebacks import Chargeback, Decision
from kassa.bank.instruments import FORM_WALLETS
from kassa.bank.model import Purchase, Refund, State


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer's response. ``00`` is a success."""

    code: str
    text: str


class Authentication(msgspec.Struct, frozen=True, kw_only=True):
    """Where the payer passes 3-D Secure: a path on this server, and the unix second until which it is open."""

    path: str
    until: int


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """Where the wallet's page is: ``params`` are form fields where the method is ``POST``."""

    path: str
    method: Literal["GET", "POST"]
    params: dict[str, str]
    until: int


class MaskedCard(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank keeps of a card."""

    first6: str
    last4: str
    expiry: str


class ChargebackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A chargeback. ``respond_by``: until when the merchant may contest it."""

    transaction: str
    state: Decision
    reason: str
    amount: int
    currency: str
    rrn: str
    respond_by: int
    created_at: int
    decided_at: int | None


class PurchaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase. Amounts are in minor units, times in unix seconds."""

    order: str
    transaction: str
    state: State
    amount: int
    currency: str
    check_only: bool
    card: MaskedCard | None
    wallet: str | None
    scenario: str | None
    response: Response | None
    authentication: Authentication | None
    confirmation: Confirmation | None
    rrn: str | None
    approval_code: str | None
    booked_at: int | None
    charge_backs: tuple[ChargebackAnswer, ...]
    created_at: int
    updated_at: int


class RefundAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A refund: approved or refused, never in between; an approved one may still come back."""

    refund: str
    order: str
    transaction: str
    state: State
    amount: int
    currency: str
    response: Response
    rrn: str | None
    booked_at: int | None
    created_at: int


def purchase_answer(purchase: Purchase) -> PurchaseAnswer:
    """Return what the merchant may know of a purchase."""
    return PurchaseAnswer(
        order=purchase.order_ref,
        transaction=purchase.transaction_id,
        state=purchase.state,
        amount=purchase.amount,
        currency=purchase.currency,
        check_only=purchase.check_only,
        card=_card(purchase),
        wallet=purchase.wallet,
        scenario=purchase.scenario,
        response=_response(purchase.response_code) if purchase.response_code else None,
        authentication=_authentication(purchase),
        confirmation=_confirmation(purchase),
        rrn=purchase.rrn,
        approval_code=purchase.approval_code,
        booked_at=int(purchase.updated_at.timestamp()) if purchase.state is State.APPROVED else None,
        charge_backs=tuple(_charge_back(each) for each in purchase.charge_backs),
        created_at=int(purchase.created_at.timestamp()),
        updated_at=int(purchase.updated_at.timestamp()),
    )


def refund_answer(refund: Refund) -> RefundAnswer:
    """Return what the merchant may know of a refund."""
    return RefundAnswer(
        refund=refund.refund_ref,
        order=refund.order_ref,
        transaction=refund.transaction_id,
        state=refund.state,
        amount=refund.amount,
        currency=refund.currency,
        response=_response(refund.response_code),
        rrn=refund.rrn,
        booked_at=int(refund.created_at.timestamp()) if refund.state is State.APPROVED else None,
        created_at=int(refund.created_at.timestamp()),
    )


def _charge_back(charge_back: Chargeback) -> ChargebackAnswer:
    return ChargebackAnswer(
        transaction=charge_back.transaction_id,
        state=charge_back.state,
        reason=charge_back.reason,
        amount=charge_back.amount,
        currency=charge_back.currency,
        rrn=charge_back.rrn,
        respond_by=int(charge_back.respond_by.timestamp()),
        created_at=int(charge_back.created_at.timestamp()),
        decided_at=int(charge_back.decided_at.timestamp()) if charge_back.decided_at else None,
    )


def _response(code: str) -> Response:
    return Response(code=code, text=cards.TEXTS[code])


def _card(purchase: Purchase) -> MaskedCard | None:
    if purchase.card_first is None or purchase.card_last is None or purchase.card_expiry is None:
        return None
    return MaskedCard(first6=purchase.card_first, last4=purchase.card_last, expiry=purchase.card_expiry)


def _authentication(purchase: Purchase) -> Authentication | None:
    if purchase.state is not State.AUTHENTICATING or purchase.page_until is None:
        return None
    return Authentication(path=f"/acs/{purchase.page_id}", until=int(purchase.page_until.timestamp()))


def _confirmation(purchase: Purchase) -> Confirmation | None:
    if purchase.state is not State.CONFIRMING or purchase.page_id is None or purchase.page_until is None:
        return None
    until = int(purchase.page_until.timestamp())
    if purchase.wallet in FORM_WALLETS:
        params = {"shop": purchase.merchant_id, "bill": purchase.page_id}
        return Confirmation(path="/wallets", method="POST", params=params, until=until)
    return Confirmation(path=f"/wallets/{purchase.page_id}", method="GET", params={}, until=until)
