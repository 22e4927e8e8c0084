"""The five verbs, ``cancel`` and ``statement``, at the bank of the test world."""

import base64
import math
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import ClassVar

import msgspec

from kassa.config import Settings
from kassa.errors import AnswerTimedOut, ConnectionFailed, ProviderGarbled, ProviderSilent, RequestFailed
from kassa.outbound import Answer, Outbound
from kassa.providers.protocol import (
    Absent,
    Attempt,
    Card,
    Charge,
    Credentials,
    Declined,
    Notice,
    Outcome,
    Provider,
    Redirect,
    Refund,
    Statement,
)
from kassa.providers.test import notices, statements, wire

_NOT_TAKEN = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
)
"""Statuses with which the bank did not take the request."""


def provider(settings: Settings, outbound: Outbound) -> Provider | None:
    """Return the provider, or None where there is no bank."""
    if not settings.bank_url:
        return None
    return TestProvider(settings.bank_url, outbound, answer_seconds=settings.provider_seconds)


class TestProvider:
    """Translates between Kassa's terms and the bank's; ``credentials.secrets["secret"]`` is the merchant's secret."""

    code: ClassVar[str] = "test"
    __test__ = False

    def __init__(self, bank_url: str, outbound: Outbound, *, answer_seconds: float) -> None:
        self._bank_url = bank_url.rstrip("/")
        self._outbound = outbound
        self._pay_seconds = answer_seconds
        self._poll_seconds = answer_seconds / 2

    async def pay(self, credentials: Credentials, charge: Charge, card: Card | None) -> Outcome:
        """Place an order: with a card, at a wallet, or a scenario. It is never sent twice, even if the answer is lost.

        A scenario has no page of the bank's: its payer goes to ours, and the bank is polled later.
        """
        if not credentials.test_mode:
            return Declined(external_id=None, resolution="routing_error")
        order = wire.order(charge, card)
        if order is None:
            return Declined(external_id=None, resolution="invalid_details")
        body = msgspec.json.encode(order)
        answer = await self._call(credentials, "PUT", f"/purchases/{charge.payment_id}", body, self._pay_seconds)
        if answer.status in _NOT_TAKEN:
            return Declined(external_id=None, resolution="provider_error")
        outcome = self._outcome(answer, charge.payment_id, external_id=None)
        if charge.method == wire.SCENARIO_METHOD and outcome.external_id is not None:
            return Redirect(external_id=outcome.external_id, action=charge.return_url, method="GET", params={})
        return outcome

    async def resume(self, credentials: Credentials, attempt: Attempt, params: Mapping[str, str]) -> Outcome:
        """Poll the bank: the return's parameters prove nothing."""
        return await self.status(credentials, attempt)

    async def status(self, credentials: Credentials, asked: Attempt | Refund) -> Outcome:
        """Return the outcome of an order or a refund."""
        if isinstance(asked, Refund):
            return _refunded(await self._call(credentials, "GET", _path(asked), b"", self._poll_seconds), asked)
        answer = await self._call(credentials, "GET", f"/purchases/{asked.payment_id}", b"", self._poll_seconds)
        if answer.status == HTTPStatus.NOT_FOUND:
            return Absent()
        return self._outcome(answer, asked.payment_id, external_id=asked.external_id)

    async def refund(self, credentials: Credentials, refund: Refund) -> Outcome:
        """Refund; the bank does it once under each ``refund_id``."""
        body = msgspec.json.encode({"amount": refund.amount, "currency": refund.currency})
        return _refunded(await self._call(credentials, "PUT", _path(refund), body, self._pay_seconds), refund)

    async def cancel(self, credentials: Credentials, attempt: Attempt) -> Outcome:
        """Close an order that waits for its payer; the bank decides whether that came in time."""
        path = f"/purchases/{attempt.payment_id}/cancel"
        answer = await self._call(credentials, "POST", path, b"", self._pay_seconds)
        if answer.status == HTTPStatus.NOT_FOUND:
            return Absent()
        return self._outcome(answer, attempt.payment_id, external_id=attempt.external_id)

    async def statement(
        self, credentials: Credentials, since: datetime, until: datetime, after: str | None
    ) -> Statement:
        """Read a page of the bank's books, whose times are whole seconds."""
        period = f"since={math.floor(since.timestamp())}&until={math.ceil(until.timestamp())}"
        path = f"/statement?{period}&after={after or ''}"
        return statements.statement(await self._call(credentials, "GET", path, b"", self._poll_seconds))

    def receive(self, credentials: Credentials, headers: Mapping[str, str], body: bytes) -> Notice:
        """Read a notification. Raises ``Unauthorized``, ``BadRequest``."""
        return notices.read(credentials.secrets["secret"], headers, body)

    def _outcome(self, answer: Answer, payment_id: str, *, external_id: str | None) -> wire.PurchaseOutcome:
        purchase = wire.read(answer, wire.PurchaseAnswer)
        if purchase.order != payment_id or external_id not in (None, purchase.transaction):
            raise ProviderGarbled("The bank answered about another payment.")
        return wire.purchase_outcome(purchase, bank_url=self._bank_url)

    async def _call(
        self, credentials: Credentials, method: str, path: str, body: bytes, timeout_seconds: float
    ) -> Answer:
        token = f"{credentials.merchant_id}:{credentials.secrets['secret']}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(token).decode()}", "Content-Type": "application/json"}
        try:
            return await self._outbound.request(
                method,
                self._bank_url + path,
                headers=headers,
                body=body,
                timeout_seconds=timeout_seconds,
                guarded=False,
                repeatable=method == "GET",
            )
        except (AnswerTimedOut, ConnectionFailed):
            # Refused before a byte was sent, or cut after the bank had charged: it looks the same from here.
            raise ProviderSilent from None
        except RequestFailed:
            raise ProviderGarbled from None


def _path(refund: Refund) -> str:
    return f"/purchases/{refund.payment_id}/refunds/{refund.refund_id}"


def _refunded(answer: Answer, refund: Refund) -> Outcome:
    if answer.status == HTTPStatus.NOT_FOUND:
        return Absent()
    given = wire.read(answer, wire.RefundAnswer)
    if (given.refund, given.order) != (refund.refund_id, refund.payment_id):
        raise ProviderGarbled("The bank answered about another refund.")
    return wire.refund_outcome(given)
