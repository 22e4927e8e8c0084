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
from tests.api.conftest import CARDS
from tests.support.api import Client

SEED: Final = 20261124
EXAMPLES: Final = 20
"""Generated requests for each operation, beside those that cover every limit of every member."""
CONFIGURATION: Final = """
[auth.openapi.account]
username = "{account_id}"
password = "{api_key}"

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
"""


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
    description = msgspec.json.decode(text.replace(key, shop.keys.public_key_test))
    asked = description["components"]["schemas"]
    for name in ("Asked", "PublicAsked"):
        asked[name]["properties"] |= {"service": {"enum": list(CARDS)}, "currency": {"enum": ["USD", "EUR"]}}
    asked["Asked"]["properties"]["test_mode"] = {"const": True}
    asked["Asked"]["required"].append("test_mode")
    for each in objects(description["paths"]):
        each.pop("application/vnd.api+json", None)  # The same once more.
        if "public_key" in each.get("properties", {}):
            each["properties"]["public_key"] = {"const": shop.keys.public_key_test}
    return msgspec.json.encode(description)


@pytest.mark.timeout(240)
async def test_schemathesis_finds_nothing(shop: Client, tmp_path: Path) -> None:
    description = (await shop.call("GET", "/openapi.json", anonymous=True)).text
    (tmp_path / "openapi.json").write_bytes(narrowed(description, shop))
    (tmp_path / "schemathesis.toml").write_text(
        CONFIGURATION.format(account_id=shop.keys.id, api_key=shop.keys.api_key)
    )
    judge = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", "openapi.json", "--url", shop.base_url, "--checks", "all", "--continue-on-failure", "--no-color"),
        *("--seed", str(SEED), "--max-examples", str(EXAMPLES)),
        cwd=tmp_path,
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await judge.communicate()
    assert judge.returncode == 0, output.decode()
    operations = sum(map(len, msgspec.json.decode(description)["paths"].values()))
    assert re.search(rf"Tested: +{operations}\b", output.decode())
