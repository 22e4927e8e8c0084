"""A merchant and its payers, as the world outside sees Kassa: what they do in one life of an invoice."""

import asyncio
import base64
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from kassa.clock import Clock
from tests.bench.load import Caller, Reply
from tests.bench.sink import Sink
from tests.support.api import INVOICES, private_body
from tests.support.world import GOOD, GOOD_SECURE

_FORM: Final = "Content-Type: application/x-www-form-urlencoded\r\n"
_CARD: Final = "number=1&card_number={}&expiry=12%2F30&cvc=123"
_CALLBACK_SECONDS: Final = 60


@dataclass(frozen=True, kw_only=True)
class Created:
    """An invoice that waits for its payer."""

    invoice_id: str
    page: str
    """The card page's address."""


@dataclass(frozen=True, kw_only=True)
class Merchant:
    """One account's software, its payers, and the place where it hears of its invoices."""

    base_url: str
    account_id: str
    api_key: str
    sink: Sink

    @property
    def _headers(self) -> str:
        token = base64.b64encode(f"{self.account_id}:{self.api_key}".encode()).decode()
        return f"Authorization: Basic {token}\r\nContent-Type: application/json\r\n"

    async def create(self, caller: Caller, **asked: object) -> Created:
        """Create an invoice; nothing is sent to the merchant's server unless ``callback_url`` is asked for."""
        body = msgspec.json.encode(private_body(**asked))
        reply = await self._call(caller, "POST", "", body=body, status=201)
        data = msgspec.json.decode(reply.body)["data"]
        return Created(invoice_id=data["id"], page=data["attributes"]["flow_data"]["action"])

    async def read(self, caller: Caller, invoice_id: str) -> None:
        """Read an invoice by its id."""
        await self._call(caller, "GET", f"/{invoice_id}")

    async def list(self, caller: Caller, after: str) -> None:
        """Read the page of 20 invoices after one."""
        await self._call(caller, "GET", f"?page[size]=20&page[after]={after}")

    async def refund(self, caller: Caller, invoice_id: str) -> None:
        """Send all of a paid invoice back, and hear that it has arrived."""
        refunded = self.sink.said(invoice_id, "refunded")
        attributes = {"reference_id": f"refund of {invoice_id}"}
        body = msgspec.json.encode({"data": {"type": "refund", "attributes": attributes}})
        await self._call(caller, "POST", f"/{invoice_id}/refund", body=body)
        await _heard(refunded)

    async def pay(self, caller: Caller, created: Created) -> None:
        """Pay by a card without 3-D Secure, and hear of it."""
        paid = self.sink.said(created.invoice_id)
        await self._look(caller, created)
        sent = await caller.ask("POST", created.page, headers=_FORM, body=_CARD.format(GOOD).encode())
        assert sent.status == 303, sent
        await _heard(paid)

    async def pay_securely(self, caller: Caller, created: Created) -> float:
        """Pay by a card with 3-D Secure, approve at the bank's page, come back, and hear of it.

        Returns the seconds from the approval to the callback.
        """
        paid = self.sink.said(created.invoice_id)
        await self._look(caller, created)
        sent = await caller.ask("POST", created.page, headers=_FORM, body=_CARD.format(GOOD_SECURE).encode())
        assert sent.header(b"location").endswith("/3ds"), sent
        onward = await caller.ask("GET", f"{created.page}/3ds")
        challenge = onward.body.partition(b'content="0;url=')[2].partition(b'"')[0].decode()
        pressed = await caller.ask("POST", challenge, headers=_FORM, body=b"decision=approve")
        approved = time.monotonic()
        back = await caller.ask("GET", pressed.header(b"location"))
        assert back.status == 303, back
        return await _heard(paid) - approved

    async def live(self, caller: Caller) -> None:
        """Let an invoice have a whole life, with 3-D Secure."""
        await self.pay_securely(caller, await self.create(caller, callback_url=self.sink.url))

    async def _look(self, caller: Caller, created: Created) -> None:
        shown = await caller.ask("GET", created.page)
        assert shown.status == 200, shown

    async def _call(self, caller: Caller, method: str, path: str, *, body: bytes = b"", status: int = 200) -> Reply:
        url = f"{self.base_url}{INVOICES}{path}"
        reply = await caller.ask(method, url, headers=self._headers, body=body)
        assert reply.status == status, reply
        return reply


async def _heard(callback: asyncio.Future[float]) -> float:
    async with asyncio.timeout(_CALLBACK_SECONDS):
        return await callback


def in_time(**delta: float) -> int:
    """Return a moment so long from now, in Unix seconds: when an invoice is asked to expire."""
    return int((Clock().real() + timedelta(**delta)).timestamp())
