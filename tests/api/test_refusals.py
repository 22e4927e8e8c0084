"""Whatever cannot be taken is refused in its shape (contract#errors), and writes nothing."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest

from kassa.accounts import operations
from tests.support.api import BARE, INVOICES, PUBLIC_INVOICES, Answer, Client, error_body, private_body
from tests.support.office import Office
from tests.support.waiting import until

KIB: Final = 1024
BLANK: Final = "This value should not be blank."


@pytest.fixture
async def unchanged(office: Office, shop: Client) -> AsyncIterator[None]:
    """What the shared account has before a test it has after it."""
    before = await office.rows(shop.keys.id)
    yield
    assert await office.rows(shop.keys.id) == before


def is_bare(answer: Answer, status: int) -> bool:
    return (answer.status, answer.text) == (
        status,
        json.dumps(error_body(status, BARE[str(status)]), separators=(",", ":")),
    )


def is_told(answer: Answer, status: int, phrase: str) -> bool:
    """Whether an error has the shape that carries a title and a detail."""
    assert answer.status == status, (answer.status, answer.text)
    assert list(answer.document) == ["errors"]
    (error,) = answer.document["errors"]
    assert list(error) == ["status", "code", "title", "detail"]
    return (error["status"], error["code"]) == (phrase, str(status)) and all(error.values())


# What a body may hold -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchanged")
async def test_all_that_is_wrong_with_a_private_body_is_told_at_once(shop: Client) -> None:
    answer = await shop.create(
        reference_id="",
        service="no_such_service",
        currency="USDD",
        amount=-1,
        flow="loan",
        test_mode="perhaps",
        description="x" * 2001,
        descriptor=["x"],
        customer={"name": "x" * 256, "email": 5.5, "address": {"city": "x" * 300, "country": {}}, "metadata": "x"},
        metadata="x",
        return_url="javascript:alert(1)",
        return_urls={"success": "nonsense"},
        callback_url="ftp://example.com",
        gateway_options="x",
        service_fields="x",
        expires="tomorrow",
    )
    assert set(answer.errors) == {
        "reference_id",
        "service",
        "currency",
        "amount",
        "flow",
        "test_mode",
        "description",
        "descriptor",
        "customer.reference_id",
        "customer.name",
        "customer.address.city",
        "customer.address.country",
        "customer.metadata",
        "metadata",
        "return_url",
        "return_urls.success",
        "return_urls.pending",
        "callback_url",
        "gateway_options",
        "service_fields",
        "expires",
    }
    assert all(isinstance(text, str) and text for text in answer.errors.values())


@pytest.mark.usefixtures("unchanged")
async def test_what_is_missing_is_told_by_name(shop: Client) -> None:
    empty = await shop.call("POST", INVOICES, json_body={"data": {"type": "payment-invoices", "attributes": {}}})
    assert empty.errors == dict.fromkeys(("reference_id", "service", "currency", "amount"), BLANK)
    assert (await shop.create(customer={})).errors == {"customer.reference_id": BLANK}
    assert (await shop.create(return_urls={})).errors == {"return_urls.pending": BLANK}
    public = await shop.call(
        "POST", PUBLIC_INVOICES, json_body={"public_key": shop.keys.public_key_test}, anonymous=True
    )
    assert public.errors == dict.fromkeys(("service", "currency", "amount"), BLANK)


@pytest.mark.usefixtures("unchanged")
async def test_an_amount_of_nothing_is_refused_in_the_familys_words(shop: Client) -> None:
    for amount in (0, -5, "0", "-0.00", 0.0):
        answer = await shop.create(amount=amount)
        assert answer.text == '{"errors":{"amount":"This value should be greater than 0."}}'


@pytest.mark.usefixtures("unchanged")
async def test_control_characters_and_lone_surrogates_are_told_by_the_same_names_as_all_else(shop: Client) -> None:
    answer = await shop.create(
        reference_id="a\x00b",
        description="\ud800",
        amount=-1,
        customer={"reference_id": "1", "name": "a\x07b", "metadata": {"k\x00": "\x00", "\ud800": "\x00"}},
        metadata={"k": "\x00", "list": ["\udfff"]},
    )
    assert set(answer.errors) == {
        "reference_id",
        "description",
        "amount",
        "customer.name",
        "customer.metadata",
        "metadata.k",
        "metadata.list.0",
    }
    public = await shop.create_publicly(description="a\x00", amount="x")
    assert set(public.errors) == {"description", "amount"}


async def test_lines_and_tabs_are_text(shop: Client) -> None:
    assert (await shop.create(description="one\r\ntwo\tthree")).attributes["description"] == "one\r\ntwo\tthree"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "changes,name",
    [
        ({"service": "payment_card_gbp_hpp"}, "service"),
        ({"currency": "XTS"}, "currency"),
        ({"service": "Payment_Card_USD_HPP"}, "service"),
        ({"service": "x' OR 1=1 --"}, "service"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"test_mode": False}, "test_mode"),
        ({"reference_id": "x" * 256}, "reference_id"),
        ({"reference_id": True}, "reference_id"),
        ({"reference_id": ["x"]}, "reference_id"),
        ({"customer": "x"}, "customer"),
        ({"customer": [1]}, "customer"),
        ({"customer": {"reference_id": ""}}, "customer.reference_id"),
        ({"metadata": [1]}, "metadata"),
        ({"return_url": "https://user:password@example.com"}, "return_url"),
        ({"return_url": "//example.com"}, "return_url"),
        ({"return_url": "https:example.com"}, "return_url"),
        ({"return_url": "https://exa mple.com"}, "return_url"),
        ({"return_url": "https://[::1"}, "return_url"),
        ({"return_url": "https://example.com:99999"}, "return_url"),
        ({"callback_url": "https://user@example.com/"}, "callback_url"),
        ({"callback_url": "http://169.254.169.254/"}, "callback_url"),
        ({"callback_url": "http://[fd00::1]/"}, "callback_url"),
        ({"gateway_options": {"cardgate": {"retry_limit": 0}}}, "gateway_options.cardgate.retry_limit"),
        ({"gateway_options": {"cardgate": {"retry_limit": True}}}, "gateway_options.cardgate.retry_limit"),
        ({"gateway_options": {"cardgate": {"retry_limit": "5"}}}, "gateway_options.cardgate.retry_limit"),
        ({"gateway_options": {"cardgate": {"retry_limit": 101}}}, "gateway_options.cardgate.retry_limit"),
        ({"flow": "Charge"}, "flow"),
        ({"locale": ["en"]}, "locale"),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name_alone(shop: Client, changes: Mapping[str, Any], name: str) -> None:
    assert list((await shop.create(**changes)).errors) == [name]


async def test_numbers_are_taken_for_text_where_text_is_meant(shop: Client) -> None:
    made = (await shop.create(reference_id=20261124033001, description=7)).attributes
    assert (made["reference_id"], made["description"]) == ("20261124033001", "7")


async def test_the_example_of_the_family_with_its_invalid_email_is_taken(shop: Client) -> None:
    assert (await shop.create(customer={"reference_id": "1203515", "email": "[email protected]"})).status == 201


# Who may call ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchanged")
async def test_who_is_not_known_is_told_nothing_but_that(shop: Client, fresh: Client) -> None:
    wrong = [
        (shop.keys.id, fresh.keys.api_key),
        (fresh.keys.id, shop.keys.api_key),
        (shop.keys.id, ""),
        (shop.keys.id, shop.keys.public_key_test),
        (shop.keys.id, shop.keys.private_key_live),
        ("coma_0000000000000000", shop.keys.api_key),
        ("", shop.keys.api_key),
        ("x\x00", "y"),
    ]
    for auth in wrong:
        assert is_bare(await shop.call("POST", INVOICES, json_body=private_body(), auth=auth), 401), auth
    invoice_id = (await fresh.create()).data["id"]
    for header in ("", "Basic", "Basic !!!", "Basic 4pi6", "Bearer x", "Basic ÿ"):
        answer = await fresh.call("GET", f"{INVOICES}/{invoice_id}", headers={"Authorization": header}, anonymous=True)
        assert is_bare(answer, 401), header
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.usefixtures("unchanged")
async def test_a_body_is_not_looked_at_before_its_sender_is_known(shop: Client) -> None:
    assert is_bare(await shop.call("POST", INVOICES, body=b"{", anonymous=True), 401)


@pytest.mark.usefixtures("unchanged")
async def test_a_public_creation_needs_a_public_key_of_a_known_account(shop: Client) -> None:
    keys: list[object] = [
        None,
        "",
        7,
        [],
        "pk_test_" + "0" * 43,
        shop.keys.public_key_test[:-1],
        shop.keys.public_key_test + "\x00",
        shop.keys.private_key_test,
        shop.keys.public_key_test.replace("pk_test_", "pk_live_"),
        shop.keys.api_key,
    ]
    for key in keys:
        assert is_bare(await shop.create_publicly(public_key=key), 401), key


async def test_an_invoice_of_another_account_is_not_there(shop: Client, fresh: Client) -> None:
    mine, theirs = (await shop.create()).data["id"], (await fresh.create()).data["id"]
    unknown = mine[:-1] + ("0" if mine[-1] != "0" else "1")
    for invoice_id in (theirs, unknown, "cpi_0000000000000000", "cpi_", "x", "%00", "cpi_%D0%AB", "..%2f..%2fhealthz"):
        assert is_bare(await shop.read(invoice_id), 404), invoice_id
    for invoice_id in (unknown, "cpi_0000000000000000", mine.replace("cpi_", "cgi_"), "%00"):
        assert is_bare(await shop.read_publicly(invoice_id), 404), invoice_id
    reference = (await fresh.read(theirs)).attributes["reference_id"]
    assert is_bare(await shop.find(reference), 404)


async def test_a_public_key_that_is_sent_has_to_fit(shop: Client, fresh: Client) -> None:
    path = f"{PUBLIC_INVOICES}/{(await shop.create()).data['id']}?public_key="
    assert (await shop.call("GET", path + shop.keys.public_key_test, anonymous=True)).status == 200
    for key in (shop.keys.public_key_live, fresh.keys.public_key_test, "nonsense", "pk_test_" + "0" * 43):
        assert is_bare(await shop.call("GET", path + key, anonymous=True), 401), key


async def test_public_creation_can_be_forbidden_and_public_reading_stays(office: Office) -> None:
    shop = await office.account(forbid_public_access="true")
    answer = await shop.create_publicly()
    assert is_told(answer, 403, "Forbidden")
    invoice_id = (await shop.create()).data["id"]
    assert (await shop.read_publicly(invoice_id)).status == 200
    assert await office.rows(shop.keys.id) == {"invoices": 1, "customers": 0, "payments": 0, "callbacks": 0}


async def test_an_option_takes_effect_soon(office: Office, fresh: Client) -> None:
    assert (await fresh.create_publicly()).status == 201
    await office.set_options(fresh.keys.id, forbid_public_access="true")

    async def forbidden() -> bool:
        return (await fresh.create_publicly()).status == 403

    await until(forbidden, what="the option's effect")


async def test_an_account_is_called_from_its_own_addresses_alone(office: Office) -> None:
    elsewhere = await office.account(ip_allow_list="192.0.2.0/24, 2001:db8::/32")
    for answer in (await elsewhere.create(), await elsewhere.read("cpi_0000000000000000"), await elsewhere.find("x")):
        assert is_told(answer, 403, "Forbidden")
    forwarded = await elsewhere.call(
        "POST", INVOICES, json_body=private_body(), headers={"X-Forwarded-For": "192.0.2.1"}
    )
    assert forwarded.status == 403
    assert is_bare(await elsewhere.call("POST", INVOICES, json_body={}, auth=(elsewhere.keys.id, "x")), 401)
    assert (await office.rows(elsewhere.keys.id))["invoices"] == 0
    here = await office.account(ip_allow_list="127.0.0.0/8")
    assert (await here.create()).status == 201


async def test_a_revoked_key_is_refused_soon(office: Office, fresh: Client) -> None:
    rolled = await operations.roll_key(
        office.pool, office.root, office.clock, account_id=fresh.keys.id, kind="api", test_mode=None, by="ann"
    )
    assert (await fresh.create()).status == 201
    (key,) = await office.fetch(
        "SELECT key_id FROM api_keys WHERE account_id = $1 AND kind = 'api' AND key_id <> $2",
        fresh.keys.id,
        rolled.key_id,
    )
    await operations.revoke_key(office.pool, office.clock, account_id=fresh.keys.id, key_id=key["key_id"], by="ann")

    async def refused() -> bool:
        return (await fresh.create()).status == 401

    await until(refused, what="the revocation")
    assert (
        await fresh.call("POST", INVOICES, json_body=private_body(), auth=(fresh.keys.id, rolled.text))
    ).status == 201


async def test_a_revoked_public_key_is_refused_soon(office: Office, fresh: Client) -> None:
    assert (await fresh.create_publicly()).status == 201
    (key,) = await office.fetch(
        "SELECT key_id FROM api_keys WHERE account_id = $1 AND value = $2", fresh.keys.id, fresh.keys.public_key_test
    )
    await operations.revoke_key(office.pool, office.clock, account_id=fresh.keys.id, key_id=key["key_id"], by="ann")

    async def refused() -> bool:
        return (await fresh.create_publicly()).status == 401

    await until(refused, what="the revocation")


async def test_an_archived_account_is_known_and_not_allowed(office: Office, fresh: Client) -> None:
    await operations.archive(office.pool, office.clock, fresh.keys.id, by="ann")

    async def refused() -> bool:
        return (await fresh.create()).status == 403

    await until(refused, what="the closing")
    assert is_told(await fresh.create(), 403, "Forbidden")
    assert is_told(await fresh.create_publicly(), 403, "Forbidden")


# What can be read at all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method,path",
    [
        ("GET", "/nothing"),
        ("GET", "/api"),
        ("GET", "/api/"),
        ("GET", "/api/nothing"),
        ("POST", "/api/payment-invoices/process/nothing"),
        ("GET", "/public-api"),
        ("GET", "/public-api/nothing"),
        ("GET", "/api/public-api/payment-invoices"),
        ("GET", "/api/api/payment-invoices"),
        ("GET", "//payment-invoices"),
    ],
)
async def test_an_address_that_there_is_not(shop: Client, method: str, path: str) -> None:
    assert is_bare(await shop.call(method, path), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_method_that_there_is_not(shop: Client, method: str) -> None:
    for path in (INVOICES, "/payment-invoices", PUBLIC_INVOICES, f"{INVOICES}/cpi_0000000000000000"):
        answer = await shop.call(method, path)
        assert is_bare(answer, 405)
        assert answer.headers["Allow"]
    assert is_bare(await shop.call("POST", f"{PUBLIC_INVOICES}/cpi_0000000000000000"), 405)


async def test_a_filter_that_there_is_not_is_a_request_that_cannot_be_read(shop: Client) -> None:
    for query in ("filter[colour]=red", "filter[reference_id]=x&filter[colour]=red"):
        assert is_told(await shop.call("GET", f"{INVOICES}?{query}"), 400, "Bad Request")


async def test_a_name_with_strange_characters_is_simply_not_there(shop: Client) -> None:
    for name in ("%00", "%F0%9F%8D%B5", "%FF", "%27%20OR%201%3D1", "a" * 5000):
        assert is_bare(await shop.find(name), 404), name


def nested(depth: int, bracket: str = "[]") -> bytes:
    opening, closing = ("[", "]") if bracket == "[]" else ('{"a":', "}")
    value = opening * depth + "1" + closing * depth
    return json.dumps(private_body(metadata={"a": "HERE"})).replace('"HERE"', value).encode()


def with_text(old: str, new: str) -> bytes:
    text = json.dumps(private_body(description="Tea"))
    assert old in text
    return text.replace(old, new).encode()


UNREADABLE: Final = {
    "nothing": b"",
    "white": b"  \n",
    "half": json.dumps(private_body()).encode()[:-3],
    "text": b"hello",
    "list": b"[]",
    "number": b"7",
    "null": b"null",
    "no data": b"{}",
    "data list": b'{"data": []}',
    "data null": b'{"data": null}',
    "no attributes": b'{"data": {"type": "payment-invoices"}}',
    "attributes list": b'{"data": {"type": "payment-invoices", "attributes": []}}',
    "two documents": json.dumps(private_body()).encode() * 2,
    "trailing comma": with_text('"description": "Tea"', '"description": "Tea",'),
    "comment": with_text('"description"', '/* tea */ "description"'),
    "single quotes": with_text('"Tea"', "'Tea'"),
    "latin-1": with_text("Tea", "Tée"[:1] + "\u00e9").decode().encode("latin-1"),
    "overlong utf-8": with_text("Tea", "TEA").replace(b"TEA", b"\xc0\x80"),
    "utf-8 surrogate": with_text("Tea", "TEA").replace(b"TEA", b"\xed\xa0\x80"),
    "utf-16": json.dumps(private_body()).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(private_body()).encode(),
    "bare NUL": with_text("Tea", "T\x00a"),
    "repeated member": with_text('"currency": "USD"', '"currency": "USD", "currency": "EUR"'),
    "repeated nested member": with_text('"description": "Tea"', '"metadata": {"a": 1, "a": 2}'),
    "repeated by escape": with_text('"currency": "USD"', '"currency": "USD", "\\u0063urrency": "EUR"'),
    "deep list": nested(60),
    "deep object": nested(60, "{}"),
    "very deep list": nested(25_000),
    "very deep object": nested(9_000, "{}"),
    "unclosed depth": b"[" * 60_000,
    "long integer": with_text('"amount": 100', '"amount": ' + "9" * 5_000),
    "long fraction": with_text('"amount": 100', '"amount": 1.' + "0" * 5_000 + "1"),
    "huge exponent": with_text('"description": "Tea"', '"metadata": {"a": 1e999999999999}'),
    "plus": with_text('"amount": 100', '"amount": +100'),
    "hex": with_text('"amount": 100', '"amount": 0x64'),
    "leading zero": with_text('"amount": 100', '"amount": 0100'),
    "a huger exponent": with_text('"description": "Tea"', '"metadata": {"a": 1e99999999999999999999}'),
    "infinity in metadata": with_text('"description": "Tea"', '"metadata": {"a": Infinity}'),
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_body_that_cannot_be_read(shop: Client, name: str) -> None:
    answer = await shop.call("POST", INVOICES, body=UNREADABLE[name])
    if answer.status == 422:
        assert answer.errors
    else:
        assert is_told(answer, 400, "Bad Request")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", ["half", "list", "repeated member", "very deep list", "byte order mark", "utf-16"])
async def test_a_public_body_that_cannot_be_read(shop: Client, name: str) -> None:
    answer = await shop.call("POST", PUBLIC_INVOICES, body=UNREADABLE[name], anonymous=True)
    assert is_told(answer, 400, "Bad Request")


async def test_a_body_of_64_kib_is_read_and_one_more_byte_is_not(office: Office, fresh: Client) -> None:
    def body(size: int) -> bytes:
        text = json.dumps(private_body(metadata={"a": "X"}))
        return text.replace('"X"', f'"{"x" * (size - len(text) + 1)}"').encode()

    assert len(body(64 * KIB)) == 64 * KIB
    assert (await fresh.call("POST", INVOICES, body=body(64 * KIB))).status == 201
    for size in (64 * KIB + 1, 128 * KIB):
        answer = await fresh.call("POST", INVOICES, body=body(size))
        assert is_told(answer, 413, "Request Entity Too Large") or is_told(answer, 413, "Content Too Large")
    assert (await office.rows(fresh.keys.id))["invoices"] == 1


@pytest.mark.usefixtures("unchanged")
async def test_a_body_of_another_type_or_compressed_is_refused(shop: Client) -> None:
    body = json.dumps(private_body()).encode()
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonx"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
    ):
        sent = gzip.compress(body) if headers.get("Content-Encoding") == "gzip" else body
        answer = await shop.call("POST", INVOICES, body=sent, headers=headers)
        assert is_told(answer, 415, "Unsupported Media Type"), headers
        public = json.dumps(shop.public_body()).encode()
        answer = await shop.call("POST", PUBLIC_INVOICES, body=public, headers=headers, anonymous=True)
        assert is_told(answer, 415, "Unsupported Media Type"), headers


@pytest.mark.usefixtures("unchanged")
async def test_hostile_bodies_together_leave_an_honest_one_its_answer(shop: Client) -> None:
    hostile = [shop.call("POST", INVOICES, body=UNREADABLE[name]) for name in UNREADABLE] * 1
    answers = await asyncio.gather(*hostile, shop.read("cpi_0000000000000000"))
    assert {answer.status for answer in answers} <= {400, 404, 422}


async def test_the_public_surface_is_open_to_every_page_and_the_private_one_to_none(shop: Client) -> None:
    origin = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    preflight = await shop.call(
        "OPTIONS",
        PUBLIC_INVOICES,
        headers={**origin, "Access-Control-Request-Headers": "content-type"},
        anonymous=True,
    )
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (200, "*")
    for answer in (
        await shop.call("POST", PUBLIC_INVOICES, json_body={}, headers=origin, anonymous=True),
        await shop.call("GET", f"{PUBLIC_INVOICES}/x", headers=origin, anonymous=True),
        await shop.call("DELETE", PUBLIC_INVOICES, headers=origin, anonymous=True),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    private = await shop.call("GET", f"{INVOICES}/x", headers=origin)
    assert "Access-Control-Allow-Origin" not in private.headers
