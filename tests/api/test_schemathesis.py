"""An outside judge: Schemathesis makes requests from the description, honest and hostile, and judges every answer."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from kassa.api.description import examples
from kassa.api.description.operation import Caller
from tests.api.conftest import CARDS
from tests.support.api import Client
from tests.support.payer import PLAIN, REFUSED
from tests.support.serving import Served

SEED: Final = 20261124
EXAMPLES: Final = 20
"""Generated requests for each operation, beside those that cover every limit of every member."""
CONFIGURATION: Final = """
[auth.openapi.account]
username = "{account_id}"
password = "{api_key}"

[auth.openapi.token]
bearer = "{token}"

[checks.positive_data_acceptance]
# 422 is for what no schema can say, such as that a service takes one currency.
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]

[[operations]]
include-operation-id = "get_api_payment_invoices"
[operations.checks.positive_data_acceptance]
# 400 is for two cursors at once.
expected-statuses = ["2xx", "400", "404"]

[[operations]]
include-operation-id = "get_api_ledger_entries"
[operations.checks.positive_data_acceptance]
# Likewise, and for the id of another account's invoice.
expected-statuses = ["2xx", "400"]

[[operations]]
include-operation-id = "post_public_api_payment_invoices_process"
[operations.checks.positive_data_acceptance]
# The payer is sent on.
expected-statuses = ["2xx", "303", "401", "403", "404", "409", "422"]
"""
ATTEMPTS: Final = 3
"""Good answers of the card gate, before it answers with conflicts."""


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def narrowed(text: str, shop: Client) -> bytes:
    """Return the description with what an account can choose from, so that more than refusals is tried."""
    key = examples.load("public_request")["public_key"]
    # A refused card leaves the invoice payable, so that there are several good answers before the first conflict.
    description = msgspec.json.decode(text.replace(key, shop.keys.public_key_test).replace(PLAIN, REFUSED))
    asked = description["components"]["schemas"]
    for name in ("CreateInvoice", "CreatePublicInvoice"):
        asked[name]["properties"] |= {"service": {"enum": list(CARDS)}, "currency": {"enum": ["USD", "EUR"]}}
    asked["CreateInvoice"]["properties"]["test_mode"] = {"const": True}
    asked["CreateInvoice"]["required"].append("test_mode")
    card = {"card_number": REFUSED, "cvv": "123", "exp_month": "05", "exp_year": "29"}
    asked["Sale"]["properties"] |= {name: {"const": value} for name, value in card.items()}
    for each in objects(description["paths"]):
        each.pop("application/vnd.api+json", None)  # The same once more.
        if "public_key" in each.get("properties", {}):
            each["properties"]["public_key"] = {"const": shop.keys.public_key_test}
        if each.get("name") == "public_key":
            each["schema"] = {"const": shop.keys.public_key_test}
    flatten(description)
    return msgspec.json.encode(description)


def flatten(description: Any) -> None:
    """Put the form's members into one schema: Schemathesis looks there alone for how they are encoded.

    An empty field of a form is none, which only words can say.
    """
    form = description["paths"]["/public-api/payment-invoices/process"]["post"]["requestBody"]["content"]
    schema, asked = form["application/x-www-form-urlencoded"]["schema"], description["components"]["schemas"]
    del schema["allOf"]
    for name, member in asked["CreatePublicInvoice"]["properties"].items():
        optional = name not in asked["CreatePublicInvoice"]["required"]
        schema["properties"][name] = {key: member[key] for key in member if not (optional and key == "minLength")}
    schema["required"] = asked["CreatePublicInvoice"]["required"]


@pytest.fixture
async def payable(shop: Client) -> str:
    """The id of an invoice that can be paid at the card gate."""
    created = await shop.create(gateway_options={"cardgate": {"retry_limit": ATTEMPTS}})
    return str(created.data["id"])


async def test_schemathesis_finds_nothing(shop: Client, served: Served, payable: str, tmp_path: Path) -> None:
    description = (await shop.call("GET", "/openapi.json", anonymous=True)).text
    token = (await shop.read(payable)).attributes["flow_data"]["metadata"]["token"]
    (tmp_path / "openapi.json").write_bytes(narrowed(description, shop))
    (tmp_path / "schemathesis.toml").write_text(
        CONFIGURATION.format(account_id=shop.keys.id, api_key=shop.keys.api_key, token=token)
    )
    # What it reads from a file it tries at one address, whatever an operation says of its own.
    tried = await judged(tmp_path, served.base_url, "--exclude-tag", Caller.GATE.value)
    tried += await judged(tmp_path, served.gate_url, "--include-tag", Caller.GATE.value)
    assert tried == sum(map(len, msgspec.json.decode(description)["paths"].values()))
    # The card was sent until nothing but conflicts could follow.
    assert (await shop.read(payable)).attributes["status"] == "process_failed"


async def judged(folder: Path, url: str, *selection: str) -> int:
    """Let it try the selected operations at an address and return how many they were."""
    judge = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", "openapi.json", "--url", url, "--checks", "all", "--continue-on-failure", "--no-color"),
        *("--seed", str(SEED), "--max-examples", str(EXAMPLES), *selection),
        cwd=folder,
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await judge.communicate()
    assert judge.returncode == 0, output.decode()
    found = re.search(r"Tested: +(\d+)\b", output.decode())
    assert found is not None
    return int(found[1])
