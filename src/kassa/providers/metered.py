"""A provider whose every request is counted and timed, by what came of it."""

import time
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from kassa.errors import ProviderGarbled, ProviderSilent
from kassa.observability.metrics import provider_request_seconds, provider_requests_total
from kassa.providers import protocol
from kassa.providers.protocol import (
    Attempt,
    Card,
    Charge,
    Credentials,
    Notice,
    Outcome,
    Provider,
    Refund,
    Statement,
    Statements,
)

Answer = TypeVar("Answer")

_OUTCOMES: Final[dict[type[Any], str]] = {
    protocol.Accepted: "ok",
    protocol.Statement: "ok",
    protocol.Redirect: "redirect",
    protocol.Pending: "pending",
    protocol.Declined: "declined",
    protocol.Absent: "absent",
}
_UNKNOWN: Final = "unknown"
"""Silence, an answer that makes no sense, and a request that was given up: nothing is known of the outcome."""


class Metered:
    """The five verbs of a provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.code = provider.code

    async def pay(self, credentials: Credentials, charge: Charge, card: Card | None) -> Outcome:
        """Ask for the money, once."""
        return await self._measured("pay", self._provider.pay(credentials, charge, card))

    async def resume(self, credentials: Credentials, attempt: Attempt, params: Mapping[str, str]) -> Outcome:
        """Go on after the payer came back."""
        return await self._measured("resume", self._provider.resume(credentials, attempt, params))

    async def status(self, credentials: Credentials, asked: Attempt | Refund) -> Outcome:
        """Ask what became of an attempt, or of a refund."""
        return await self._measured("status", self._provider.status(credentials, asked))

    async def refund(self, credentials: Credentials, refund: Refund) -> Outcome:
        """Return money."""
        return await self._measured("refund", self._provider.refund(credentials, refund))

    def receive(self, credentials: Credentials, headers: Mapping[str, str], body: bytes) -> Notice:
        """Read a notification, which is no request."""
        return self._provider.receive(credentials, headers, body)

    async def _measured(self, operation: str, request: Awaitable[Answer]) -> Answer:
        begun, outcome = time.monotonic(), "error"
        try:
            answer = await request
            outcome = _OUTCOMES.get(type(answer), "ok")
        except (ProviderSilent, ProviderGarbled):
            outcome = _UNKNOWN
            raise
        except Exception:
            raise
        except BaseException:
            outcome = _UNKNOWN  # a deadline of the caller's has cancelled the request
            raise
        finally:
            provider_requests_total.labels(self.code, operation, outcome).inc()
            provider_request_seconds.labels(self.code, operation).observe(time.monotonic() - begun)
        return answer


class MeteredWithStatement(Metered):
    """A provider that also tells what it booked."""

    def __init__(self, provider: Provider, statements: Statements) -> None:
        super().__init__(provider)
        self._statements = statements

    async def statement(
        self, credentials: Credentials, since: datetime, until: datetime, after: str | None
    ) -> Statement:
        """Return a page of the provider's books."""
        return await self._measured("statement", self._statements.statement(credentials, since, until, after))


def metered(provider: Provider) -> Provider:
    """Return the provider with its requests counted."""
    made = MeteredWithStatement(provider, provider) if isinstance(provider, Statements) else Metered(provider)
    return cast("Provider", made)  # but for ``code``, which a protocol has of its class
