"""What the conformance tests need around a provider, and the requests that they make."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Protocol, runtime_checkable

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
"""How a card payment ends when the payer follows through."""

UNKNOWN = (ProviderSilent, ProviderGarbled)
"""What a verb raises for an unknown outcome."""

_LIFETIME = timedelta(minutes=30)


class Counterpart(Protocol):
    """The world around a provider. It talks to its sandbox, or to a server of the tests."""

    provider: Provider
    unreachable: Provider
    """The same provider, whose counterpart does not answer."""
    credentials: Credentials
    wrong_credentials: Credentials
    """Credentials of the same merchant with other secrets."""
    return_url: str
    notify_url: str

    async def visit(self, redirect: Redirect, *, approve: bool) -> Mapping[str, str]:
        """Act as the payer's browser: go there, approve or decline, and return the parameters sent to ``return_url``.

        Where the page has nothing left to confirm, return what it sends back, if anything.
        """

    async def notification(self, payment_id: str) -> tuple[Mapping[str, str], bytes]:
        """Return headers and body of a notification that came in about a payment."""


@runtime_checkable
class Disputing(Protocol):
    """What a driver may have beside: a sandbox that decides disputes."""

    async def decide_charge_back(self, payment_id: str, *, won: bool) -> tuple[Mapping[str, str], bytes]:
        """Decide the oldest open dispute of a payment; return the notification about it."""


@runtime_checkable
class Returning(Protocol):
    """What a driver may have beside: a sandbox that lets refunds come back."""

    async def return_refund(self, payment_id: str, refund_id: str) -> tuple[Mapping[str, str], bytes]:
        """Let a refund that was approved come back undelivered; return the notification about it."""


class Driver(Counterpart, Protocol):
    """The world around a provider that takes cards."""

    async def charge_back(self, payment_id: str, amount: int) -> tuple[Mapping[str, str], bytes]:
        """Charge back an amount of a payment; return the notification about it."""

    def card(self, ending: Ending) -> Card:
        """Return a card whose payments end like this."""


class RedirectDriver(Counterpart, Protocol):
    """The world around a provider with pages of its own."""

    wallets: Mapping[str, Mapping[str, str]]
    """Methods that are paid on the provider's page, with the fields that each needs: one for each kind of redirect."""


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


def attempt(order: Charge, outcome: Outcome | None = None) -> Attempt:
    """Return the attempt of a charge, with the provider's id if it is known."""
    return Attempt(payment_id=order.payment_id, external_id=getattr(outcome, "external_id", None))


def refund(order: Charge, amount: int, outcome: Outcome | None = None) -> Refund:
    """Return a new refund of a charge."""
    return Refund(
        refund_id=f"ref_{secrets.token_hex(8)}",
        payment_id=order.payment_id,
        external_id=getattr(outcome, "external_id", None),
        amount=amount,
        currency=order.currency,
    )


def undecided(outcome: Outcome) -> bool:
    """Return whether there is no result yet."""
    return isinstance(outcome, Redirect | Pending)
