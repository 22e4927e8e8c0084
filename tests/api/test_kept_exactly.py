"""What a merchant sends for their own use comes back as it was, from creation through reading to the callback."""

import json
import uuid
from typing import Any

import pytest

from tests.support.api import CARD_USD, INVOICES, PUBLIC_INVOICES, Answer, Client
from tests.support.merchant import Merchant

METADATA = (
    '{"price":1.10,"zero":0.0,"small":1e-7,"powers":[1e5,1E+5,0.1e1,-0,-0.0],"large":123456789012345678901234567890,"below":-92233720368547758080,'
    '"z":1,"a":2,"текст":"Ёжик \\u2603 \\ud83d\\ude00","escaped":"\\"\\\\\\/\\n","none":null,"flags":[true,false],'
    '"empty":{"list":[],"map":{},"text":"","deep":[[],[{}],{"a":[]}]},"number as text":"1.10"}'
)
"""Numbers with their decimals, an order that is not the alphabet's, two alphabets, and nothing in many shapes."""


def body(reference_id: str, metadata: str = METADATA) -> bytes:
    members = {
        "reference_id": reference_id,
        "service": "payment_card_usd_hpp",
        "currency": "USD",
        "amount": 100,
        "test_mode": True,
        "descriptor": "SHOP*Ёлка 7",
        "locale": "uk-UA",
        "customer": {"reference_id": "c", "metadata": "CUSTOMER"},
    }
    text = json.dumps({"data": {"type": "payment-invoices", "attributes": {**members, "metadata": "INVOICE"}}})
    return text.replace('"INVOICE"', metadata).replace('"CUSTOMER"', metadata).encode()


def exact(text: str) -> object:
    """Return JSON where numbers are as they are written and members are in their order."""
    return json.loads(text, object_pairs_hook=list, parse_float=_written, parse_int=_written)


def _written(text: str) -> object:
    return ("number", text)


def metadata_of(document: str) -> object:
    outer = dict(exact(document))  # type: ignore[call-overload]
    data = dict(outer["data"])
    return dict(data["attributes"])["metadata"]


def wanted() -> object:
    return exact(METADATA)


async def create(shop: Client, reference_id: str, metadata: str = METADATA) -> Answer:
    created = await shop.call("POST", INVOICES, body=body(reference_id, metadata))
    assert created.status == 201, created.text
    return created


async def test_metadata_is_kept_to_the_letter_from_creation_to_the_callback(fresh: Client, merchant: Merchant) -> None:
    reference = str(uuid.uuid4())
    sent = body(reference).replace(b'"amount": 100', f'"amount": 100, "callback_url": "{merchant.url}"'.encode())
    created = await fresh.call("POST", INVOICES, body=sent)
    assert created.status == 201, created.text
    invoice_id = created.data["id"]
    read = await fresh.read(invoice_id)
    callback = await merchant.wait_for(lambda received: received.document["data"]["id"] == invoice_id)
    for document in (created.text, read.text, callback.body.decode()):
        assert metadata_of(document) == wanted()
    public = await fresh.read_publicly(invoice_id)
    assert dict(dict(exact(public.text))["data"])["metadata"] == wanted()  # type: ignore[call-overload]
    included = dict(exact(callback.body.decode()))["included"][0]  # type: ignore[call-overload]
    assert dict(dict(included)["attributes"])["metadata"] == wanted()


async def test_descriptor_is_kept_and_locale_decides_the_pages_language(fresh: Client) -> None:
    created = await create(fresh, str(uuid.uuid4()))
    read = await fresh.read(created.data["id"])
    assert read.attributes["descriptor"] == created.attributes["descriptor"] == "SHOP*Ёлка 7"
    url = read.attributes["flow_data"]["action"]
    async with fresh.session.get(url) as page:
        assert page.headers["Content-Language"] == "uk"


@pytest.mark.parametrize("member", ["metadata", "customer.metadata", "gateway_options", "service_fields"])
async def test_a_number_that_a_double_cannot_hold_is_refused(fresh: Client, member: str) -> None:
    outer, _, inner = member.partition(".")
    for number in ("1e400", "-1e400", "1e-400", "9" * 310, "NaN"):
        held = f'{{"reference_id": "c", "{inner}": {{"a": [{number}]}}}}' if inner else f'{{"a": [{number}]}}'
        members = f'"service": "{CARD_USD}", "currency": "USD", "amount": 100, "{outer}": {held}'
        private = f'{{"data": {{"attributes": {{"reference_id": "r", "test_mode": true, {members}}}}}}}'
        public = f'{{"public_key": "{fresh.keys.public_key_test}", {members}}}'
        for path, text in ((INVOICES, private), (PUBLIC_INVOICES, public)):
            refused = await fresh.call("POST", path, body=text.encode())
            assert refused.errors == {f"{member}.a.0": "This value should be a number."}, (path, number)
    assert (await fresh.call("GET", INVOICES)).document["data"] == []


@pytest.mark.parametrize("metadata", ["{}", "[]", "null"])
async def test_no_metadata_is_an_empty_list(fresh: Client, metadata: str) -> None:
    created = await create(fresh, str(uuid.uuid4()), metadata)
    assert created.attributes["metadata"] == []


@pytest.mark.parametrize("locale", ["xx", "", "e" * 255])
async def test_a_language_that_there_is_none_of_does_no_harm(fresh: Client, locale: str) -> None:
    created = await fresh.create(locale=locale)
    async with fresh.session.get(created.attributes["flow_data"]["action"]) as page:
        assert (page.status, page.headers["Content-Language"]) == (200, "en")


async def test_every_map_may_be_sent_as_an_empty_list(fresh: Client) -> None:
    names = ("customer", "return_urls", "service_fields", "metadata", "gateway_options")
    maps: dict[str, Any] = {name: [] for name in names}
    made = await fresh.create(**maps)
    assert (made.status, made.data["relationships"]["customer"]["data"]) == (201, None)
    assert (await fresh.create_publicly(**maps)).status == 201
    inner = await fresh.create(
        customer={"reference_id": "c", "metadata": [], "address": []}, gateway_options={"cardgate": []}
    )
    assert inner.status == 201, inner.text
