"""Any text through every field that takes one: it comes back as it was, or is refused by its name; never an error."""

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.api import BARE, Answer, Client, error_body
from tests.support.office import Office

LINES: Final = ("description", "descriptor", "locale")
CUSTOMER: Final = ("name", "email", "phone", "date_of_birth", "individual_tax_id")
ADDRESS: Final = ("country", "region", "city", "street", "full_address", "postcode", "post_code")
UNFIT: Final = {chr(code) for code in (*range(32), 127)} - set("\t\n\r") | {chr(c) for c in range(0xD800, 0xE000)}

texts = st.text(st.characters(exclude_categories=()), max_size=40)
hostile = st.sampled_from(
    [
        "\u202egnp.exe",
        "\u2066\u2067\u2069",
        "e\u0301 é",
        "\ufeff",
        "\ufffe",
        "\U0010ffff",
        "\u2028\u2029",
        "a\u0000",
        "\ud83c",
        "🏳️\u200d🌈",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "{{7*7}}${7*7}%s%n",
        "=1+1",
        "../../etc/passwd",
        "null",
        "NaN",
        "\x1b[31m",
        "\x85\x9f",
        "ẞß",
        "İı",
        " ",
        "\t\r\n",
    ]
)
values = st.one_of(texts, hostile)
bags = st.dictionaries(values, st.one_of(values, st.lists(values, max_size=2)), max_size=3)


def unfit(text: str) -> bool:
    return bool(UNFIT.intersection(text))


def holds(value: Any) -> bool:
    """Whether something is not fit to be kept, anywhere in a value."""
    if isinstance(value, str):
        return unfit(value)
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return any(holds(each) for each in inner)


async def create(shop: Client, lines: Mapping[str, str], payer: Mapping[str, Any], metadata: Any, tail: str) -> Answer:
    reference = f"{uuid.uuid4()}{tail}"
    return await shop.create(
        **lines,
        reference_id=reference,
        metadata=metadata,
        customer={"reference_id": reference, **payer},
    )


@settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    lines=st.fixed_dictionaries(dict.fromkeys(LINES, values)),
    payer=st.fixed_dictionaries(dict.fromkeys(CUSTOMER, values)),
    address=st.fixed_dictionaries({}, optional=dict.fromkeys(ADDRESS, values)),
    metadata=bags,
    about=bags,
    tail=values,
)
@example(
    lines=dict.fromkeys(LINES, "\u202e"),
    payer=dict.fromkeys(CUSTOMER, "\u0000"),
    address=dict.fromkeys(ADDRESS, "\ud800"),
    metadata={"\u0000": "\udfff"},
    about={},
    tail="",
)
async def test_text_comes_back_as_it_was_or_is_refused_by_its_name(
    shop: Client,
    *,
    lines: dict[str, str],
    payer: dict[str, str],
    address: dict[str, str],
    metadata: dict[str, Any],
    about: dict[str, Any],
    tail: str,
) -> None:
    made = await create(shop, lines, {**payer, "address": address, "metadata": about}, metadata, tail)
    wrong = {name for name, text in lines.items() if unfit(text)}
    wrong |= {f"customer.{name}" for name, text in payer.items() if unfit(text)}
    wrong |= {f"customer.address.{name}" for name, text in address.items() if unfit(text)}
    wrong |= {"reference_id", "customer.reference_id"} if unfit(tail) else set()
    if wrong or holds(metadata) or holds(about):
        refused = {name for name in made.errors if not name.startswith(("metadata", "customer.metadata"))}
        assert refused == wrong
        return
    read = await shop.call("GET", f"/api/payment-invoices/{made.data['id']}?include=customer")
    assert read.text.startswith(made.text[:-1])
    kept, (customer,) = json.loads(read.text)["data"]["attributes"], json.loads(read.text)["included"]
    assert {name: kept[name] for name in ("description", "descriptor")} == {
        name: lines[name] for name in ("description", "descriptor")
    }
    assert kept["metadata"] == {"merchant_url": "https://shop.example", **metadata}
    assert kept["reference_id"].endswith(tail)
    assert {name: customer["attributes"][name] for name in CUSTOMER} == payer
    assert (customer["attributes"]["address"] or {}, customer["attributes"]["metadata"] or {}) == (address, about)


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(members=st.dictionaries(st.sampled_from(["service", "currency", "flow", "type", "expires", "amount"]), values))
async def test_any_text_where_a_code_is_meant_is_refused_by_its_name(shop: Client, members: dict[str, str]) -> None:
    made = await shop.create(**members)
    if made.status != 201:
        assert made.errors.keys() <= members.keys()


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=values)
@example(text="a\nb")
async def test_any_text_in_an_address_finds_nothing(shop: Client, text: str) -> None:
    escaped = "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))
    for path in (
        f"/api/payment-invoices/{escaped}x",
        f"/public-api/payment-invoices/{escaped}x",
        f"/api/payment-invoices?filter[reference_id]=x{escaped}",
        f"/api/{escaped}x",
        f"/providers/{escaped}x/notifications/{escaped}x",
    ):
        answer = await shop.call("GET", path)
        assert answer.status in (404, 405), (path, answer.text)
        assert answer.document == error_body(answer.status, BARE[str(answer.status)])


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(["status", "created][from", "updated][to", "currency", "test_mode", "x"]), text=values)
async def test_any_text_in_a_filter_is_answered(shop: Client, name: str, text: str) -> None:
    escaped = "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))
    for path in (f"filter[{name}]={escaped}", f"page[size]={escaped}", f"page[before]={escaped}", f"{escaped}=1"):
        answer = await shop.call("GET", f"/api/payment-invoices?{path}")
        assert answer.status in (200, 400), (path, answer.text)


@pytest.fixture(scope="module")
async def chooser(office: Office) -> Client:
    """An account whose services ask for something."""
    return await office.account(services=("test_usd_test", "qiwi_usd_hpp"))


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=values, key=values)
@example(text="\ud800", key="\ud800")
async def test_any_text_in_a_services_fields_is_refused_by_its_name(chooser: Client, text: str, key: str) -> None:
    for service, field in (("test_usd_test", "status"), ("qiwi_usd_hpp", "phone")):
        made = await chooser.create(service=service, service_fields={key: text, field: text})
        assert f"service_fields.{field}" in made.errors
        assert all(name.startswith("service_fields") for name in made.errors)
