"""Bodies that no honest client sends: each is refused at once, writes nothing, and leaves the process as it was."""

import contextlib
import gzip
import json
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import msgspec
import psutil
import pytest

from kassa.invoices.creating.request import CreateInvoice, CreatePublicInvoice
from kassa.invoices.document import wire
from kassa.invoices.rules.invoice import Invoice
from tests.support.api import INVOICES, PUBLIC_INVOICES, Client, attributes, private_body
from tests.support.office import Office
from tests.support.serving import Serving

MARK: Final = '"MARK"'
KIB: Final = 1024
BOMB: Final = b" " * (64 * KIB * KIB)
SECONDS: Final = 0.05
"""How long a refusal may take, on the whole: single ones may meet a busy machine."""
GROWTH_BYTES: Final = 64 * KIB * KIB


@dataclass(frozen=True, kw_only=True)
class Hostile:
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    statuses: frozenset[int] = frozenset({400})


def with_value(text: str, name: str = "metadata") -> bytes:
    return json.dumps(private_body(**{name: "MARK"})).replace(MARK, text).encode()


def spelled(body: bytes, content_type: str) -> Hostile:
    return Hostile(body=body, headers={"Content-Type": content_type}, statuses=frozenset({415}))


def coded(body: bytes, encoding: str) -> Hostile:
    return Hostile(body=body, headers={"Content-Encoding": encoding}, statuses=frozenset({415}))


def refused(text: str, name: str = "metadata") -> Hostile:
    return Hostile(body=with_value(text, name), statuses=frozenset({422}))


def unreadable(text: str) -> Hostile:
    return Hostile(body=with_value(text))


HONEST: Final = json.dumps(private_body()).encode()
CORPUS: Final = {
    # depth
    "a list 33 deep": unreadable('{"a": ' + "[" * 40 + "]" * 40 + "}"),
    "a map 33 deep": unreadable('{"a":' * 40 + "1" + "}" * 40),
    "a list and a map in turn": unreadable('{"a":[' * 20 + "1" + "]}" * 20),
    "a list 1,000 deep": unreadable("[" * 1_000 + "]" * 1_000),
    "a list 20,000 deep": unreadable("[" * 20_000 + "]" * 20_000),
    "a map 10,000 deep": unreadable('{"a":' * 10_000 + "1" + "}" * 10_000),
    "brackets alone": Hostile(body=b"[" * 65_000),
    "braces alone": Hostile(body=b'{"a":' * 13_000),
    # size
    "a byte too many": Hostile(body=HONEST + b" " * (64 * KIB + 1 - len(HONEST)), statuses=frozenset({413})),
    "a megabyte of white": Hostile(body=HONEST + b" " * KIB * KIB, statuses=frozenset({413})),
    "a megabyte of text": Hostile(body=with_value('"' + "x" * KIB * KIB + '"'), statuses=frozenset({413})),
    "4 megabytes of nothing": Hostile(body=bytes(4 * KIB * KIB), statuses=frozenset({413})),
    "4 megabytes of quotes": Hostile(body=b'"' * 4 * KIB * KIB, statuses=frozenset({413})),
    # numbers
    "an integer of 401 digits": unreadable('{"a": ' + "9" * 401 + "}"),
    "an integer of 4,301 digits": unreadable('{"a": ' + "9" * 4_301 + "}"),
    "an integer of 60,000 digits": unreadable('{"a": ' + "9" * 60_000 + "}"),
    "an amount of 60,000 digits": Hostile(body=with_value("9" * 60_000, "amount")),
    "a fraction of 60,000 digits": Hostile(body=with_value("0." + "0" * 60_000 + "1", "amount")),
    "NaN": refused("NaN", "amount"),
    "NaN inside": refused('{"a": NaN}'),
    "Infinity": refused("Infinity", "amount"),
    "-Infinity inside": refused('{"a": [-Infinity]}'),
    "1e400": refused("1e400", "amount"),
    "1e400 inside": refused('{"a": 1e999}'),
    "1e-400": refused("1e-400", "amount"),
    "an endless exponent": refused("1e" + "9" * 100, "amount"),
    "a number with a comma": unreadable("1,5"),
    "a number in hexadecimal": unreadable("0x10"),
    "a number with an underscore": unreadable("1_000"),
    # names
    "a member twice": Hostile(body=HONEST.replace(b'"amount"', b'"amount": 1, "amount"')),
    "data twice": Hostile(body=HONEST[:-1] + b', "data": {}}'),
    "a member twice, once escaped": Hostile(body=HONEST.replace(b'"amount"', b'"am\\u006funt": 1, "amount"')),
    "a member twice, deep inside": unreadable('{"a": {"b": [{"c": 1, "c": 2}]}}'),
    "a name that is no text": unreadable("{1: 2}"),
    "a NUL in a name": refused('{"a\\u0000": 1}'),
    "a surrogate in a name": refused('{"\\ud800": 1}'),
    # characters
    "NUL, escaped": refused('"a\\u0000"', "description"),
    "NUL, bare": Hostile(body=with_value('"a\x00"', "description")),
    "bell": refused('"a\\u0007"', "description"),
    "escape": refused('"\\u001b[31m"', "description"),
    "delete": refused('"\\u007f"', "description"),
    "half a surrogate pair": refused('"\\ud83c"', "description"),
    "the other half": refused('"\\udf75"', "description"),
    "the pair the wrong way round": refused('"\\udf75\\ud83c"', "description"),
    "a surrogate in UTF-8": Hostile(body=with_value('"MARK"').replace(b"MARK", b"\xed\xa0\xbc")),
    "an overlong slash": Hostile(body=with_value('"MARK"').replace(b"MARK", b"\xc0\xaf")),
    "a byte of latin-1": Hostile(body=with_value('"MARK"').replace(b"MARK", b"\xe9")),
    "half a character": Hostile(body=HONEST[:-1] + b"\xd0"),
    "UTF-16": Hostile(body=HONEST.decode().encode("utf-16")),
    "UTF-32": Hostile(body=HONEST.decode().encode("utf-32")),
    "UTF-7": Hostile(body=with_value('"MARK"').replace(b'"MARK"', b"+ACI-x+ACI-")),
    "a byte order mark": Hostile(body=b"\xef\xbb\xbf" + HONEST),
    "too long a name": refused(json.dumps({"reference_id": "1", "name": "x" * 256}), "customer"),
    "too long a description": refused('"' + "й" * 2_001 + '"', "description"),
    "too long a reference": refused('"' + "🍵" * 256 + '"', "reference_id"),
    "an address of many combining marks": refused('{"city": "' + "a\u0301" * 200 + '"}', "customer"),
    # shapes
    "nothing": Hostile(body=b""),
    "null": Hostile(body=b"null"),
    "a list of bodies": Hostile(body=b"[" + HONEST + b"]"),
    "two bodies": Hostile(body=HONEST + HONEST),
    "half a body": Hostile(body=HONEST[:60]),
    "a comment": Hostile(body=b"/* */" + HONEST),
    "a script's callback": Hostile(body=b"callback(" + HONEST + b")"),
    "XML": Hostile(body=b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    "YAML": Hostile(body=b"data:\n  attributes: !!python/object/apply:os.system [ls]\n"),
    "a pickle": Hostile(body=b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94."),
    # types and encodings
    "text/plain": spelled(HONEST, "text/plain"),
    "text/json": spelled(HONEST, "text/json"),
    "a form": spelled(b"amount=100", "application/x-www-form-urlencoded"),
    "a form of parts": spelled(b"--x--", "multipart/form-data; boundary=x"),
    "JSON of another kind": spelled(HONEST, "application/json-patch+json"),
    "two types": spelled(HONEST, "application/json, text/html"),
    "XML by type": spelled(HONEST, "application/xml"),
    "gzip": coded(gzip.compress(HONEST), "gzip"),
    "a bomb of gzip": coded(gzip.compress(BOMB), "gzip"),
    "a bomb of deflate": coded(zlib.compress(BOMB), "deflate"),
    "brotli": coded(b"\x0b\x02\x80hello\x03", "br"),
    "zstd": coded(b"\x28\xb5\x2f\xfd\x00\x00\x01\x00\x00", "zstd"),
    "twice compressed": coded(gzip.compress(gzip.compress(HONEST)), "gzip, gzip"),
    "an encoding that says nothing": coded(HONEST, "identity, identity"),
    "gzip without a word": Hostile(body=gzip.compress(HONEST)),
}


@pytest.fixture(autouse=True)
async def _healthy(serving_kassa: Serving, shop: Client) -> Any:
    yield
    assert serving_kassa.process.returncode is None
    assert (await shop.call("GET", "/healthz", anonymous=True)).status == 200


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 50


async def test_every_hostile_body_is_refused_and_writes_nothing(office: Office, shop: Client) -> None:
    before = await office.rows(shop.keys.id)
    found: dict[str, int] = {}
    for name, hostile in CORPUS.items():
        answer = await shop.call("POST", INVOICES, body=hostile.body, headers=hostile.headers)
        found[name] = answer.status
        assert list(answer.document) == ["errors"]
    assert {name: status for name, status in found.items() if status not in CORPUS[name].statuses} == {}
    assert await office.rows(shop.keys.id) == before


async def test_every_hostile_body_is_refused_publicly_as_well(office: Office, shop: Client) -> None:
    before = await office.rows(shop.keys.id)
    for name, hostile in CORPUS.items():
        if 422 in hostile.statuses:
            members = json.loads(hostile.body)["data"]["attributes"]
            body = json.dumps({**members, "public_key": shop.keys.public_key_test}).encode()
        else:
            body = hostile.body
        answer = await shop.call("POST", PUBLIC_INVOICES, body=body, headers=hostile.headers, anonymous=True)
        # A body that can be read has no public key in it.
        assert answer.status in hostile.statuses | {401}, (name, answer.status, answer.text)
    assert await office.rows(shop.keys.id) == before


async def test_hostile_bodies_take_no_time_and_no_memory(serving_kassa: Serving, shop: Client) -> None:
    process = psutil.Process(serving_kassa.process.pid)
    small = {name: each for name, each in CORPUS.items() if len(each.body) <= 64 * KIB}
    for hostile in CORPUS.values():
        await shop.call("POST", INVOICES, body=hostile.body, headers=hostile.headers)
    before, begun = process.memory_info().rss, process.cpu_times()
    for hostile in small.values():
        await shop.call("POST", INVOICES, body=hostile.body, headers=hostile.headers)
    spent = process.cpu_times()
    seconds = spent.user + spent.system - begun.user - begun.system
    assert seconds / len(small) < SECONDS
    for hostile in CORPUS.values():
        await shop.call("POST", INVOICES, body=hostile.body, headers=hostile.headers)
    assert process.memory_info().rss - before < GROWTH_BYTES


async def test_a_body_without_end_is_cut_off(serving_kassa: Serving, shop: Client) -> None:
    process = psutil.Process(serving_kassa.process.pid)
    before = process.memory_info().rss
    for _ in range(3):
        with contextlib.suppress(aiohttp.ClientError):
            assert (await shop.call("POST", INVOICES, body=bytes(64 * KIB * KIB))).status == 413
    assert process.memory_info().rss - before < GROWTH_BYTES


async def test_an_honest_request_is_answered_in_the_midst_of_hostile_ones(shop: Client) -> None:
    begun = time.monotonic()
    for hostile in list(CORPUS.values())[:10]:
        await shop.call("POST", INVOICES, body=hostile.body, headers=hostile.headers)
        assert (await shop.create()).status == 201
    assert time.monotonic() - begun < 120


# More than one meaning ------------------------------------------------------------------------------------------------


async def test_a_parameter_that_is_there_twice_is_refused_where_it_matters(shop: Client, fresh: Client) -> None:
    invoice_id = (await shop.create()).data["id"]
    mine, theirs = shop.keys.public_key_test, fresh.keys.public_key_test
    for path in (
        f"{PUBLIC_INVOICES}/{invoice_id}?public_key={mine}&public_key={mine}",
        f"{PUBLIC_INVOICES}/{invoice_id}?public_key={mine}&public_key={theirs}",
        f"{PUBLIC_INVOICES}/{invoice_id}?public_key=&public_key={theirs}",
    ):
        assert (await shop.call("GET", path, anonymous=True)).status == 400, path
    for query in (
        "filter[reference_id]=a&filter[reference_id]=b",
        "filter[status]=created&filter%5Bstatus%5D=processed",
        "page[size]=1&page[size]=100",
        "filter[test_mode]=true&filter[test_mode]=true",
    ):
        assert (await shop.call("GET", f"{INVOICES}?{query}")).status == 400, query


async def test_the_query_of_a_creation_says_nothing(shop: Client) -> None:
    made = await shop.create(path=f"{INVOICES}?amount=1&amount=2&data[attributes][amount]=3&test_mode=false")
    assert (made.attributes["amount"], made.attributes["test_mode"]) == (100, True)


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method", "X-Original-Method"]
)
@pytest.mark.parametrize("method", ["DELETE", "GET", "PUT"])
async def test_no_header_changes_the_method(shop: Client, header: str, method: str) -> None:
    made = await shop.call("POST", INVOICES, json_body=private_body(), headers={header: method})
    assert made.status == 201
    read = await shop.call("GET", f"{INVOICES}/{made.data['id']}?_method={method}", headers={header: "POST"})
    assert read.data == made.data
    body = {**private_body(), "_method": method}
    assert (await shop.call("POST", f"{INVOICES}?_method={method}", json_body=body)).status == 201


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Host"])
async def test_no_header_changes_the_address(shop: Client, header: str) -> None:
    made = await shop.call("POST", INVOICES, json_body=private_body(), headers={header: "/api/nothing"})
    assert made.status == 201
    assert (await shop.call("GET", "/api/nothing", headers={header: INVOICES})).status == 404


# Members that are not theirs to set -----------------------------------------------------------------------------------

NOT_TO_SET: Final = (
    "invoice_id",
    "reference_id",
    "session_id",
    "created_at",
    "updated_at",
    "expires_at",
    "due_at",
    "token",
)
"""What differs between any two invoices."""


def members(kind: type[msgspec.Struct]) -> Iterator[str]:
    return (each.encode_name for each in msgspec.structs.fields(kind))


async def row(office: Office, invoice_id: str) -> dict[str, Any]:
    (found,) = await office.fetch("SELECT * FROM invoices WHERE invoice_id = $1", invoice_id)
    return {name: value for name, value in found.items() if name not in NOT_TO_SET}


@pytest.mark.parametrize("value", [True, 7, "processed", "2020-01-01T00:00:00Z", {"a": 1}, ["x"]])
async def test_a_member_of_an_answer_sets_nothing_in_a_request(office: Office, fresh: Client, value: object) -> None:
    plain = await row(office, (await fresh.create()).data["id"])
    theirs = {*members(wire.Attributes), *members(wire.PublicInvoice), *members(Invoice), *members(wire.Resource)}
    hostile: dict[str, Any] = dict.fromkeys(theirs - set(members(CreateInvoice)), value)
    assert {"status", "processed_amount", "fee", "account_id", "source", "payment_id"} <= hostile.keys()
    made = await fresh.create(**hostile)
    assert await row(office, made.data["id"]) == plain
    around = {**hostile, "type": "payment-invoices", "attributes": attributes()}
    made = await fresh.call("POST", INVOICES, json_body={**hostile, "data": around})
    assert await row(office, made.data["id"]) == plain


@pytest.mark.parametrize("value", [True, False, 7, "https://example.com", {"a": 1}])
async def test_a_member_of_the_private_api_sets_nothing_in_the_public_one(
    office: Office, fresh: Client, value: object
) -> None:
    plain = await row(office, (await fresh.create_publicly()).data["id"])
    theirs = {*members(wire.PublicInvoice), *members(wire.Attributes), *members(Invoice), *members(CreateInvoice)}
    hostile: dict[str, Any] = dict.fromkeys(theirs - set(members(CreatePublicInvoice)), value)
    assert {"test_mode", "callback_url", "gateway_options", "flow", "descriptor"} <= hostile.keys()
    made = await fresh.create_publicly(**hostile)
    assert await row(office, made.data["id"]) == plain


async def test_a_customers_id_is_not_the_merchants_to_choose(office: Office, fresh: Client, shop: Client) -> None:
    theirs = await shop.create(customer={"reference_id": "7", "name": "Theirs"})
    their_id = theirs.data["relationships"]["customer"]["data"]["id"]
    mine = await fresh.create(
        customer={"reference_id": "7", "customer_id": their_id, "id": their_id, "account_id": shop.keys.id},
        customer_id=their_id,
        relationships={"customer": {"data": {"type": "customers", "id": their_id}}},
    )
    assert mine.data["relationships"]["customer"]["data"]["id"] != their_id
    rows = await office.fetch("SELECT name FROM customers WHERE customer_id = $1", their_id)
    assert rows == [{"name": "Theirs"}]
