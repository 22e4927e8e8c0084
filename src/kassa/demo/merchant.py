"""What a merchant's server does with Kassa, written to be copied: it needs nothing but Python itself.

1. ``Client.create_invoice`` makes the invoice of an order. Call it as often as you like: an order has one invoice.
2. Redirect the payer to ``Invoice.pay_url``, with status 303.
3. Kassa posts callbacks to your server. ``check`` their signatures over the bytes as they came, before you read them.
4. ``read_invoice`` says what has become of the invoice. ``Invoice.replaces`` drops what is repeated or out of order.

The address that the payer comes back to proves nothing, because anyone can type it. Ship when a genuine callback says
``processed``, and ship once.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

PAID: Final = frozenset({"processed"})
"""The status that goods are shipped on."""

UNPAID: Final = frozenset({"process_failed", "expired", "terminated"})
"""The statuses of an invoice that will not be paid any more. An order that is tried again gets another invoice."""

TOLERANCE_SECONDS: Final = 300
"""How far a callback's time may be from your own clock, so that a recorded one cannot be sent again later."""

_TIMESTAMP_DIGITS_MAX: Final = 12

Send = Callable[[str, str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]
"""Sends method, URL, headers and body, and returns the answer's status and body: use the HTTP client that you have."""


class Refused(Exception):
    """Kassa did not make the invoice."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"Kassa answered {status}.")
        self.status = status
        self.body = body
        """Says what is wrong, member by member."""


class Unreadable(ValueError):
    """This is not a document about an invoice."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the payer buys."""

    reference_id: str
    """Your own number of the order."""
    amount: Decimal
    currency: str
    service: str
    """How it can be paid: one of the services of your account."""
    description: str
    locale: str
    """The language of the card page: ``en``, ``ru`` or ``uk``."""
    success_url: str
    """Where the payer goes once the money is taken."""
    pending_url: str
    """Where they go while the outcome is not known."""
    fail_url: str
    """Where they go without having paid."""


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What Kassa says about an invoice."""

    id: str
    reference_id: str
    status: str
    resolution: str
    """Why it has this status."""
    amount: Decimal
    currency: str
    updated: int
    """When it last changed, in unix seconds: the greater one is the later one."""
    test_mode: bool
    pay_url: str
    """Where the payer pays."""

    def replaces(self, known: "Invoice | None") -> bool:
        """Return whether this is news: callbacks may be repeated, and may arrive out of order."""
        return known is None or (self.id == known.id and self.updated > known.updated)


@dataclass(frozen=True, kw_only=True)
class Signatures:
    """What is right about a callback. Either signature is enough to trust it; checking both costs nothing."""

    envelope: bool
    """``X-Signature``, the one that clients of this API family check."""
    standard: bool
    """``webhook-signature``, as Standard Webhooks have it. It also covers the id and the time."""
    timely: bool
    """``webhook-timestamp`` is near our own clock."""

    @property
    def genuine(self) -> bool:
        """Whether all of it is right."""
        return self.envelope and self.standard and self.timely


class Client:
    """Calls the private API. Its key belongs on a server, never in a browser or an app."""

    def __init__(self, *, base_url: str, account_id: str, api_key: str, send: Send) -> None:
        self._url = f"{base_url}/api/payment-invoices"
        credentials = base64.b64encode(f"{account_id}:{api_key}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        self._send = send

    async def create_invoice(self, order: Order) -> Invoice:
        """Make the invoice of an order, or find it. Raises ``Refused``.

        When no answer comes, or when the payer clicks twice, call this again with the same ``reference_id``.
        """
        attributes = {
            "reference_id": order.reference_id,
            "service": order.service,
            "currency": order.currency,
            "amount": float(order.amount),
            "description": order.description,
            "locale": order.locale,
            "return_urls": {"success": order.success_url, "pending": order.pending_url, "fail": order.fail_url},
            "test_mode": True,  # leave this out to take real money
        }
        document = {"data": {"type": "payment-invoices", "attributes": attributes}}
        status, body = await self._send("POST", self._url, self._headers, json.dumps(document).encode())
        # 201: it is new. 409: this order has its invoice already, and the answer holds it.
        if status not in (201, 409):
            raise Refused(status, body)
        try:
            return read_invoice(body)
        except Unreadable:
            raise Refused(status, body) from None


def check(headers: Mapping[str, str], body: bytes, *, private_keys: Sequence[str], now: float) -> Signatures:
    """Check a callback's signatures over its bytes as they came; reading and writing the JSON again would change them.

    Names of ``headers`` are in lower case. ``private_keys`` are the account's of the invoice's mode: while one is
    being replaced there are two. Comparing takes the same time whatever is wrong, so an attacker learns nothing.
    """
    callback_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split(" ")
    return Signatures(
        envelope=_same([headers.get("x-signature", "")], [_envelope(key, body) for key in private_keys]),
        standard=_same(given, [_standard(key, f"{callback_id}.{timestamp}.", body) for key in private_keys]),
        timely=_timely(timestamp, now),
    )


def read_invoice(body: bytes) -> Invoice:
    """Read an invoice from an answer or a callback; both have one shape. Raises ``Unreadable``."""
    try:
        data = json.loads(body, parse_float=Decimal)["data"]
        attributes = data["attributes"]
        return Invoice(
            id=_text(data["id"]),
            reference_id=_text(attributes["reference_id"]),
            status=_text(attributes["status"]),
            resolution=_text(attributes["resolution"]),
            amount=Decimal(attributes["amount"]),
            currency=_text(attributes["currency"]),
            updated=int(attributes["updated"]),
            test_mode=attributes["test_mode"] is True,
            pay_url=_text(attributes["flow_data"]["action"]),
        )
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
        raise Unreadable from None


def _envelope(key: str, body: bytes) -> str:
    digest = hashlib.sha1(key.encode() + body + key.encode(), usedforsecurity=False)  # what X-Signature is made with
    return base64.b64encode(digest.digest()).decode()


def _standard(key: str, prefix: str, body: bytes) -> str:
    digest = hmac.digest(key.encode(), prefix.encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _timely(timestamp: str, now: float) -> bool:
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > _TIMESTAMP_DIGITS_MAX:
        return False
    return abs(now - int(timestamp)) <= TOLERANCE_SECONDS


def _same(given: Sequence[str], expected: Sequence[str]) -> bool:
    compared = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected]
    return any(compared)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # halves of characters, which JSON can spell, go into no page and no database
    return value
