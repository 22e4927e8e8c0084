"""The bank's JSON, and what it means in Kassa's terms."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, assert_never

import msgspec
from msgspec import Meta

from kassa.errors import ProviderGarbled
from kassa.outbound import Answer
from kassa.providers.protocol import (
    Accepted,
    Card,
    Charge,
    Declined,
    Dispute,
    DisputeStatus,
    Outcome,
    Pending,
    Redirect,
)
from kassa.values import Value

RESOLUTIONS: Mapping[str, str] = MappingProxyType(
    {
        "01": "issuer_decline",
        "05": "declined",
        "06": "error",
        "12": "invalid_request",
        "13": "invalid_amount",
        "14": "invalid_pan",
        "15": "invalid_card",
        "17": "client_auth_failed",
        "20": "general_fatal_error",
        "21": "unknown",
        "22": "fatal_error",
        "30": "invalid_details",
        "40": "functionality_is_not_permitted",
        "41": "lost_or_stolen_card",
        "51": "insufficient_funds",
        "54": "card_expired",
        "55": "invalid_pin",
        "58": "access_denied",
        "59": "antifraud_error",
        "61": "limit_violation",
        "62": "invalid_card_status",
        "63": "invalid_credentials",
        "91": "provider_error",
        "94": "duplicated_transaction",
        "95": "unable_to_reconcile",
        "96": "provider_fatal_error",
        "N7": "invalid_cvv",
        "T1": "auth_fatal_error",
        "T2": "unable_to_determine_3ds_enrolment",
        "T3": "card_is_3ds_enrolled",
        "T4": "card_is_not_3ds_enrolled",
        "T5": "client_auth_failed",
        "T6": "invalid_otp",
        "T7": "invalid_3ds_code",
        "T8": "transaction_expired",
    }
)
"""Resolutions by the bank's response code (contract#resolutions)."""

DESCRIPTION_LENGTH = 255
"""The longest that the bank takes."""

SCENARIO_METHOD = "test"
"""The method of ``test_{currency}_test``, whose field ``status`` names a scenario of the bank's.

See contract#test-cards.
"""

SCENARIOS = frozenset({"success", "pending", "fail"})

PurchaseOutcome = Accepted | Declined | Pending | Redirect
"""The outcomes of a purchase that the bank knows."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
"""The bank's name of an order, a refund or a transaction."""

UnixSeconds = Annotated[int, Meta(ge=0, lt=2**38)]

AnswerT = TypeVar("AnswerT")


class Response(Value, frozen=True, kw_only=True):
    """The issuer's response."""

    code: str


class Authentication(Value, frozen=True, kw_only=True):
    """Where the payer passes 3-D Secure, as a path at the bank."""

    path: str


class Confirmation(Value, frozen=True, kw_only=True):
    """Where the payer finds the wallet's page: a path at the bank, and form fields for ``POST``."""

    path: str
    method: Literal["GET", "POST"]
    params: dict[str, str]


class Chargeback(Value, frozen=True, kw_only=True):
    """A chargeback as the bank shows it."""

    transaction: Name
    state: Literal["OPEN", "WON", "LOST"]
    reason: str
    amount: Annotated[int, Meta(gt=0)]
    respond_by: UnixSeconds


class PurchaseAnswer(Value, frozen=True, kw_only=True):
    """A purchase as the bank shows it."""

    order: str
    transaction: str
    state: Literal["AUTHENTICATING", "CONFIRMING", "PROCESSING", "APPROVED", "REFUSED"]
    amount: int
    currency: str
    response: Response | None
    authentication: Authentication | None
    confirmation: Confirmation | None = None
    rrn: str | None
    approval_code: str | None
    booked_at: UnixSeconds | None = None
    charge_backs: tuple[Chargeback, ...] = ()


class RefundAnswer(Value, frozen=True, kw_only=True):
    """A refund as the bank shows it."""

    refund: str
    order: str
    transaction: str
    state: Literal["APPROVED", "REFUSED", "RETURNED"]
    amount: int
    currency: str
    response: Response
    rrn: str | None
    booked_at: UnixSeconds | None = None


def order(charge: Charge, card: Card | None) -> dict[str, Any] | None:
    """Return the body of the bank's order, or None where the charge lacks what its method needs."""
    instrument = _instrument(charge, card)
    if instrument is None:
        return None
    return {
        **instrument,
        "amount": charge.amount,
        "currency": charge.currency,
        "description": charge.description and charge.description[:DESCRIPTION_LENGTH],
        "check_only": charge.verify_only,
        "return_url": charge.return_url,
        "notify_url": charge.notify_url,
        "valid_until": int(charge.expires_at.timestamp()),
        "payer_ip": charge.client_ip,
        "payer_locale": charge.locale,
        "shop": charge.merchant_name,
        "reference": charge.reference,
        "invoice": charge.invoice_id,
    }


def _instrument(charge: Charge, card: Card | None) -> dict[str, Any] | None:
    if charge.method == "payment_card":
        return {"card": _card(card)} if card is not None else None
    if charge.method == SCENARIO_METHOD:
        scenario = charge.fields.get("status")
        return {"scenario": scenario} if scenario in SCENARIOS else None
    return {"wallet": charge.method}


def _card(card: Card) -> dict[str, Any]:
    return {
        "number": card.number,
        "expiry": f"{card.expiry_month:02d}/{card.expiry_year % 100:02d}",
        "cvv": card.cvv,
        "holder": card.holder,
    }


def read(answer: Answer, shape: type[AnswerT]) -> AnswerT:
    """Return the bank's answer. Raises ``ProviderGarbled`` for any other status, and for an unreadable body."""
    if answer.status != HTTPStatus.OK:
        raise ProviderGarbled(f"The bank answered with status {answer.status}.")
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except msgspec.DecodeError:
        raise ProviderGarbled from None


def purchase_outcome(purchase: PurchaseAnswer, *, bank_url: str) -> PurchaseOutcome:
    """Return a purchase's outcome. Raises ``ProviderGarbled`` where it is inconsistent."""
    match purchase.state:
        case "APPROVED":
            return Accepted(
                external_id=purchase.transaction,
                amount=purchase.amount,
                currency=purchase.currency,
                rrn=purchase.rrn,
                approval_code=purchase.approval_code,
                booked_at=_moment(purchase.booked_at),
                disputes=tuple(_dispute(each) for each in purchase.charge_backs),
            )
        case "REFUSED":
            return Declined(external_id=purchase.transaction, resolution=resolution(purchase.response))
        case "PROCESSING":
            return Pending(external_id=purchase.transaction)
        case "AUTHENTICATING":
            return _to_issuer(purchase, bank_url)
        case "CONFIRMING":
            return _to_wallet(purchase, bank_url)
        case _:
            assert_never(purchase.state)


def refund_outcome(refund: RefundAnswer) -> Outcome:
    """Return a refund's outcome."""
    if refund.state != "APPROVED":
        return Declined(external_id=refund.transaction, resolution=resolution(refund.response))
    return Accepted(
        external_id=refund.transaction,
        amount=refund.amount,
        currency=refund.currency,
        rrn=refund.rrn,
        booked_at=_moment(refund.booked_at),
    )


def _dispute(chargeback: Chargeback) -> Dispute:
    return Dispute(
        amount=chargeback.amount,
        status=DisputeStatus(chargeback.state.lower()),
        reason=chargeback.reason,
        external_id=chargeback.transaction,
        deadline=_moment(chargeback.respond_by),
    )


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def resolution(response: Response | None) -> str:
    """Return the resolution of a refusal; an unknown code is a ``general_decline``."""
    return RESOLUTIONS.get(response.code, "general_decline") if response else "general_decline"


def _to_issuer(purchase: PurchaseAnswer, bank_url: str) -> Redirect:
    if purchase.authentication is None:
        raise ProviderGarbled("The bank requires 3-D Secure without its page.")
    address = _address(bank_url, purchase.authentication.path)
    return Redirect(external_id=purchase.transaction, action=address, method="GET", params={})


def _to_wallet(purchase: PurchaseAnswer, bank_url: str) -> Redirect:
    page = purchase.confirmation
    if page is None:
        raise ProviderGarbled("The bank sends the payer to a wallet without its page.")
    address = _address(bank_url, page.path)
    return Redirect(external_id=purchase.transaction, action=address, method=page.method, params=page.params)


def _address(bank_url: str, path: str) -> str:
    """Return a page's URL, always on the bank's own server, so that no answer can send a payer anywhere else."""
    if not path.startswith("/"):
        raise ProviderGarbled("The bank's page is not at the bank.")
    return bank_url + path
