"""What the suite needs around a provider, and what its tests ask for."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Protocol

from kassa.clock import Clock
from kassa.errors import ProviderGarbled, ProviderSilent
from kassa.providers.protocol import (
    Attempt,
    Card,
    Charge,
    Credentials,
    Outcome,
    Pending,
    Provider,
    Redirect,
    Refund,
)

Ending = Literal["accepted", "declined", "accepted after 3-D Secure", "declined after 3-D Secure"]
"""How a payment with a card ends when the payer does what is asked."""

UNKNOWN = (ProviderSilent, ProviderGarbled)
"""How a verb says that it does not know the outcome."""

_LIFETIME = timedelta(minutes=30)


class Counterpart(Protocol):
    """The world around a provider. It talks to its sandbox, or to a server of the tests."""

    provider: Provider
    unreachable: Provider
    """The same provider, where nobody answers at its counterpart's address."""
    credentials: Credentials
    wrong_credentials: Credentials
    """Credentials of the same merchant with other secrets."""
    return_url: str
    notify_url: str

    async def visit(self, redirect: Redirect, *, approve: bool) -> Mapping[str, str]:
        """Be the payer's browser: go there, decide, and return the parameters that came back to ``return_url``.

        Of a page where nothing is left to decide, return what it sends back, if anything.
        """

    async def notification(self, payment_id: str) -> tuple[Mapping[str, str], bytes]:
        """Return headers and body of a notification that came in about a payment."""


class Driver(Counterpart, Protocol):
    """The world around a provider that takes cards."""

    async def charge_back(self, payment_id: str, amount: int) -> tuple[Mapping[str, str], bytes]:
        """Let the payer's bank take an amount of a payment back; return the notification that came in about it."""

    def card(self, ending: Ending) -> Card:
        """Return a card with which payments end so."""


class RedirectDriver(Counterpart, Protocol):
    """The world around a provider with pages of its own."""

    wallets: Mapping[str, Mapping[str, str]]
    """Methods that are paid on the provider's page, with the fields that each asks for: one for each way there."""


def charge(
    driver: Counterpart, *, amount: int = 1000, method: str = "payment_card", fields: Mapping[str, str] | None = None
) -> Charge:
    """Return a new charge in euros."""
    return Charge(
        payment_id=f"pay_{secrets.token_hex(8)}",
        method=method,
        amount=amount,
        currency="EUR",
        description="An order of the conformance suite",
        fields=fields or {},
        return_url=driver.return_url,
        notify_url=driver.notify_url,
        expires_at=Clock.real() + _LIFETIME,
        client_ip="192.0.2.1",
    )


def attempt(asked: Charge, outcome: Outcome | None = None) -> Attempt:
    """Return a charge as it is asked about later, with what the provider has told about it."""
    return Attempt(payment_id=asked.payment_id, external_id=getattr(outcome, "external_id", None))


def refund(asked: Charge, amount: int, outcome: Outcome | None = None) -> Refund:
    """Return a new refund of a charge."""
    return Refund(
        refund_id=f"ref_{secrets.token_hex(8)}",
        payment_id=asked.payment_id,
        external_id=getattr(outcome, "external_id", None),
        amount=amount,
        currency=asked.currency,
    )


def undecided(outcome: Outcome) -> bool:
    """Tell whether everything is still open."""
    return isinstance(outcome, Redirect | Pending)
