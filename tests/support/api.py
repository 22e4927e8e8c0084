"""Calls Kassa over HTTP as a merchant's software does: its server with the API key, its pages with the public key."""

import io
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import aiohttp
from yarl import URL

from kassa.accounts.model import Keys as NewKeys
from tests.support.serving import Keys

CARD_USD: Final = "payment_card_usd_hpp"
INVOICES: Final = "/api/payment-invoices"
PUBLIC_INVOICES: Final = "/public-api/payment-invoices"

_GOOD_CARD: Final = {"card_number": "5519283812030000", "cvv": "123", "exp_month": "04", "exp_year": "30"}

BARE: Final = {"401": "Unauthorized", "404": "Not Found", "405": "Method Not Allowed"}
"""The errors that say no more than their name (contract#errors)."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a surface answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> Any:
        """The body, read as JSON; what has a point becomes an exact decimal."""
        return json.loads(self.text, parse_float=Decimal)

    @property
    def data(self) -> Any:
        """The document's main object; the answer has to be a good one."""
        assert self.status in (200, 201), (self.status, self.text)
        return self.document["data"]

    @property
    def attributes(self) -> Any:
        """The attributes of the invoice in a private document."""
        return self.data["attributes"]

    @property
    def errors(self) -> Any:
        """What is wrong, by name; the answer has to be a 422."""
        assert self.status == 422, (self.status, self.text)
        assert list(self.document) == ["errors"]
        return self.document["errors"]


class Client:
    """The software of one account."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, keys: Keys | NewKeys) -> None:
        self.session = session
        self.base_url = base_url
        self.keys = keys

    async def call(
        self,
        method: str,
        path: str,
        *,
        json_body: object = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        anonymous: bool = False,
    ) -> Answer:
        """Send a request, with the account's API key unless other credentials or none are wanted."""
        sent = {"Content-Type": "application/json"} if body is not None or json_body is not None else {}
        if not anonymous:
            sent["Authorization"] = aiohttp.encode_basic_auth(*(auth or (self.keys.id, self.keys.api_key)))
        content = json.dumps(json_body).encode() if json_body is not None else body
        if content is not None:
            sent["Content-Length"] = str(len(content))
        async with self.session.request(
            method,
            URL(self.base_url + path, encoded=True),
            data=io.BytesIO(content) if content is not None else None,
            headers={**sent, **(headers or {})},
            allow_redirects=False,
        ) as answer:
            return Answer(status=answer.status, headers=answer.headers, text=(await answer.read()).decode())

    async def create(self, path: str = INVOICES, **changes: object) -> Answer:
        """Create an invoice over the private API; attributes that are None are left out."""
        return await self.call("POST", path, json_body=private_body(**changes))

    async def create_publicly(self, path: str = PUBLIC_INVOICES, **changes: object) -> Answer:
        """Create an invoice over the public API, with the test key; members that are None are left out."""
        return await self.call("POST", path, json_body=self.public_body(**changes), anonymous=True)

    def public_body(self, **changes: object) -> dict[str, object]:
        """Return the body of a public creation."""
        members = {"public_key": self.keys.public_key_test, "service": CARD_USD, "currency": "USD", "amount": 100}
        return _changed(members, changes)

    async def refund(self, invoice_id: str, *, key: str | None = None, **changes: object) -> Answer:
        """Refund an invoice over the private API; attributes that are None are left out."""
        attributes = _changed({"reference_id": str(uuid.uuid4())}, changes)
        return await self.call(
            "POST",
            f"{INVOICES}/{invoice_id}/refund",
            json_body={"data": {"type": "refund", "attributes": attributes}},
            headers={"Idempotency-Key": key} if key else None,
        )

    async def pay(self, created: Answer, gate_url: str) -> Answer:
        """Pay an invoice with a good card at the card gate, as a merchant's server does, and read it."""
        token = created.attributes["flow_data"]["metadata"]["token"]
        sold = await Client(self.session, gate_url, self.keys).call(
            "POST",
            "/payment/sale",
            json_body={"data": {"type": "sale-operation", "attributes": _GOOD_CARD}},
            headers={"Authorization": f"Bearer {token}"},
            anonymous=True,
        )
        assert sold.status == 201, sold.text
        return await self.read(created.data["id"])

    async def read(self, invoice_id: str) -> Answer:
        """Read an invoice over the private API."""
        return await self.call("GET", f"{INVOICES}/{invoice_id}")

    async def read_publicly(self, invoice_id: str) -> Answer:
        """Read an invoice over the public API."""
        return await self.call("GET", f"{PUBLIC_INVOICES}/{invoice_id}", anonymous=True)

    async def find(self, reference_id: str) -> Answer:
        """Find invoices by the merchant's own name for them."""
        return await self.call("GET", f"{INVOICES}?filter[reference_id]={reference_id}")


def attributes(**changes: object) -> dict[str, object]:
    """Return the attributes of a private creation in test mode; a change to None leaves an attribute out."""
    members = {
        "reference_id": str(uuid.uuid4()),
        "service": CARD_USD,
        "currency": "USD",
        "amount": 100,
        "test_mode": True,
    }
    return _changed(members, changes)


def private_body(**changes: object) -> dict[str, object]:
    """Return the JSON:API body of a private creation."""
    return {"data": {"type": "payment-invoices", "attributes": attributes(**changes)}}


def _changed(members: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**members, **changes}.items() if value is not None}


def error_body(status: int, phrase: str, **more: str) -> dict[str, Any]:
    """Return the error document of a status (contract#errors); ``more`` is its title and detail."""
    return {"errors": [{"status": phrase, "code": str(status), **more}]}
