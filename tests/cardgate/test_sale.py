"""Host-to-host: a merchant's server pays with a card by the invoice's token (contract#card-gate)."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from tests.support.api import Answer, Client, error_body
from tests.support.office import Office
from tests.support.payer import PLAIN, REFUSED, SECURE, SECURE_REFUSED
from tests.support.serving import Served
from tests.support.visitor import Visitor, visiting

CARD = {"card_number": PLAIN, "card_holder": "Jack Smith", "cvv": "123", "exp_month": "04", "exp_year": "30"}
BROWSER = {
    "browser_color_depth": "24",
    "browser_ip": "192.0.2.77",
    "browser_java_enabled": False,
    "browser_language": "en-US",
    "browser_user_agent": "Mozilla/5.0",
}


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visiting() as visitor:
        yield visitor


def body(**changes: object) -> dict[str, Any]:
    attributes = {name: value for name, value in {**CARD, **changes}.items() if value is not None}
    return {"data": {"type": "sale-operation", "attributes": attributes}}


class Till:
    """The merchant's server at the gate."""

    def __init__(self, shop: Client, gate_url: str) -> None:
        self.shop = shop
        self.client = Client(shop.session, gate_url, shop.keys)

    async def sell(self, token: str, sent: object = None, *, path: str = "/payment/sale", **changes: Any) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sent = body(**changes) if sent is None else sent
        return await self.client.call("POST", path, json_body=sent, headers=headers, anonymous=True)

    async def invoice(self, **changes: Any) -> tuple[str, str]:
        """Create an invoice; return its id and token."""
        created = await self.shop.create(**changes)
        return created.data["id"], created.attributes["flow_data"]["metadata"]["token"]

    async def read(self, invoice_id: str) -> Any:
        return (await self.shop.read(invoice_id)).attributes


@pytest.fixture
def till(shop: Client, served: Served) -> Till:
    return Till(shop, served.gate_url)


def result(answer: Answer) -> tuple[Any, Any, Any]:
    """Return what a good answer says; it says it twice."""
    assert answer.status == 201, answer.text
    document = answer.document
    assert list(document) == ["status", "resolution", "auth_payload", "data"]
    members = {name: document[name] for name in ("status", "resolution", "auth_payload")}
    assert document["data"]["type"] == "sale-operation"
    assert document["data"]["attributes"] == members
    return members["status"], members["resolution"], members["auth_payload"]


async def test_a_good_card_pays_at_once(till: Till) -> None:
    invoice_id, token = await till.invoice()
    answer = await till.sell(token, browser_info=BROWSER)
    assert result(answer) == ("processed", "ok", None)
    found = await till.read(invoice_id)
    assert answer.document["data"]["id"] == found["original_data"]["external_id"]
    assert (found["status"], found["processed_amount"]) == ("processed", 100)
    card = found["payload"]["payment_card"]
    assert (card["mask"], card["holder"], card["expiry_month"], card["expiry_year"]) == (
        "551928******0000",
        "Jack Smith",
        "04",
        "30",
    )
    assert found["payload"]["client_ip"] == "192.0.2.77"


async def test_a_decline_is_an_outcome_and_the_next_card_may_pay(till: Till) -> None:
    invoice_id, token = await till.invoice()
    declined = await till.sell(token, card_number=REFUSED, exp_month=5, exp_year=29)
    assert result(declined) == ("process_failed", "insufficient_funds", None)
    assert (await till.read(invoice_id))["status"] == "process_pending"
    assert result(await till.sell(token)) == ("processed", "ok", None)


async def test_three_d_secure_leads_the_payer_to_the_bank_and_back_to_the_gate(
    till: Till, payer: Visitor, served: Served
) -> None:
    invoice_id, token = await till.invoice(return_url="https://shop.example/back")
    status, resolution, auth = result(await till.sell(token, card_number=SECURE))
    assert (status, resolution) == ("process_pending", "ok")
    assert auth["action"].startswith(served.bank_url)
    assert auth["method"] in {"GET", "POST"}
    bank = await follow(payer, auth)
    gate = await payer.press(bank, "approve")
    cgi = (await till.read(invoice_id))["original_data"]["external_id"]
    assert gate.url == f"{served.gate_url}/hpp/{cgi}"
    assert f"GET {served.gate_url}/hpp/{cgi}/return" in payer.visited[-2].partition("?")[0]
    assert gate.heading == "Payment received"
    assert (await till.read(invoice_id))["status"] == "processed"


async def test_three_d_secure_may_end_in_a_decline(till: Till, payer: Visitor) -> None:
    invoice_id, token = await till.invoice(gateway_options={"cardgate": {"retry_limit": 1}})
    *_, auth = result(await till.sell(token, card_number=SECURE_REFUSED, exp_month="05", exp_year="2029"))
    await payer.press(await follow(payer, auth), "approve")
    found = await till.read(invoice_id)
    assert (found["status"], found["resolution"]) == ("process_failed", "insufficient_funds")


async def follow(payer: Visitor, auth: Any) -> Any:
    """Do what the contract says: send the parameters to the action by the method."""
    if auth["method"] == "GET":
        params = auth["params"] or {}
        query = "&".join(f"{name}={value}" for name, value in params.items())
        return await payer.open(f"{auth['action']}?{query}" if query else auth["action"])
    first = await payer.send(auth["action"], **auth["params"])
    return await payer.open(str(URL(auth["action"]).join(URL(first.headers["Location"]))))


async def test_a_repeat_while_the_payer_is_at_the_bank_shows_the_attempt_that_stands(till: Till) -> None:
    _, token = await till.invoice()
    first = await till.sell(token, card_number=SECURE)
    again = await till.sell(token, card_number=PLAIN)
    assert again.status == 409
    [error] = again.document["errors"]
    assert (error["status"], error["code"], error["title"]) == ("Conflict", "409", "Conflict")
    assert again.document["data"] == first.document["data"]


async def test_of_many_at_once_one_charges(till: Till, office: Office) -> None:
    invoice_id, token = await till.invoice()
    answers = await asyncio.gather(*(till.sell(token) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    rows = await office.fetch("SELECT status FROM payments WHERE invoice_id = $1", invoice_id)
    assert [row["status"] for row in rows] == ["processed"]


async def test_an_ended_invoice_takes_no_other_card(till: Till) -> None:
    _, token = await till.invoice()
    paid = await till.sell(token)
    again = await till.sell(token)
    assert again.status == 409
    assert again.document["data"] == paid.document["data"]
    _, token = await till.invoice(gateway_options={"cardgate": {"retry_limit": 1}})
    await till.sell(token, card_number=REFUSED)
    given_up = await till.sell(token)
    assert given_up.status == 409
    assert given_up.document["data"]["attributes"]["status"] == "process_failed"


async def test_a_pending_card_is_pending(till: Till) -> None:
    _, token = await till.invoice()
    assert result(await till.sell(token, exp_month="07", exp_year="77")) == ("process_pending", "ok", None)


async def test_a_verification_takes_nothing(till: Till) -> None:
    invoice_id, token = await till.invoice(flow="verify")
    assert result(await till.sell(token))[0] == "processed"
    found = await till.read(invoice_id)
    assert (found["status"], found["processed_amount"]) == ("verified", None)


async def tokens_that_are_none(till: Till) -> dict[str, str]:
    _, token = await till.invoice()
    head, claims, signature = token.split(".")
    _, other = await till.invoice()
    return {
        "none": "",
        "nonsense": "nonsense",
        "forged": f"{head}.{claims}.{signature[:-8]}AAAAAAAA",
        "another session's claims": f"{head}.{other.split('.')[1]}.{signature}",
        "unsigned": f"{encoded({'typ': 'JWT', 'alg': 'none'})}.{claims}.",
        "another algorithm": f"{encoded({'typ': 'JWT', 'alg': 'HS256'})}.{claims}.{signature}",
        "RS512": f"{encoded({'typ': 'JWT', 'alg': 'RS512'})}.{claims}.{signature}",
    }


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_a_token_that_is_none_opens_nothing(till: Till) -> None:
    for name, token in (await tokens_that_are_none(till)).items():
        answer = await till.sell(token)
        assert (answer.status, answer.document) == (401, error_body(401, "Unauthorized")), name
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="kassa"'


async def test_the_api_key_is_no_token(till: Till) -> None:
    answer = await till.client.call("POST", "/payment/sale", json_body=body())
    assert answer.status == 401


async def test_all_that_is_wrong_is_told_at_once_by_name_and_nothing_is_repeated(till: Till, office: Office) -> None:
    invoice_id, token = await till.invoice()
    wrong = {
        "card_number": "5519283812030001",
        "card_holder": "4412 3972 1208 0000",
        "cvv": "12",
        "exp_month": "13",
        "exp_year": "203",
        "browser_info": "x",
    }
    answer = await till.sell(token, **wrong)
    assert answer.errors == {
        "card_number": "This value is not a valid card number.",
        "card_holder": "This value should not hold a card number.",
        "cvv": "This value should have 3 digits.",
        "exp_month": "This value should be between 1 and 12.",
        "exp_year": "This value should be a year of two or four digits.",
        "browser_info": "This value should be of type object.",
    }
    missing = await till.sell(token, {"data": {"type": "sale-operation", "attributes": {}}})
    assert missing.errors == dict.fromkeys(
        ("card_number", "cvv", "exp_month", "exp_year"), "This value should not be blank."
    )
    assert await office.fetch("SELECT 1 FROM payments WHERE invoice_id = $1", invoice_id) == []


@pytest.mark.parametrize(
    "change, name, message",
    [
        ({"card_number": "2200123456789010"}, "card_number", "Mir cards are not accepted."),
        ({"card_number": "5519 2838 1203"}, "card_number", "This value is not a valid card number."),
        ({"card_number": True}, "card_number", "This value should be of type string."),
        ({"card_number": "371449635398431"}, "cvv", "This value should have 4 digits."),
        ({"cvv": "１２"}, "cvv", "This value should have 3 digits."),
        ({"exp_year": "1999"}, "exp_year", "This value should be a year of two or four digits."),
        ({"exp_month": 0}, "exp_month", "This value should be between 1 and 12."),
        ({"card_holder": "x" * 101}, "card_holder", "This value is too long. It should have 100 characters or less."),
        ({"card_holder": "a\x00b"}, "card_holder", "This value should not contain control characters."),
        (
            {"card_holder": "５５１９２８３８１２０３００００"},
            "card_holder",
            "This value should not hold a card number.",
        ),
    ],
)
async def test_each_check_has_its_words(till: Till, change: dict[str, Any], name: str, message: str) -> None:
    _, token = await till.invoice()
    assert (await till.sell(token, **change)).errors == {name: message}


@pytest.mark.parametrize(
    "change",
    [
        {"card_number": "5519-2838-1203-0000"},
        {"card_number": 5519283812030000, "cvv": 123, "exp_month": 4, "exp_year": 2030},
        {"card_holder": None},
        {"exp_month": "4", "exp_year": "2001"},
        {"browser_info": []},
    ],
)
async def test_what_can_be_understood_is(till: Till, change: dict[str, Any]) -> None:
    _, token = await till.invoice()
    assert result(await till.sell(token, **change))[0] == "processed"


@pytest.mark.parametrize(
    "sent, status",
    [([], 400), ({"data": {}}, 400), ({"data": {"type": "sale-operation", "attributes": []}}, 400), ({}, 400)],
)
async def test_a_body_of_another_shape_is_refused(till: Till, sent: object, status: int) -> None:
    _, token = await till.invoice()
    answer = await till.sell(token, sent)
    assert answer.status == status
    assert list(answer.document) == ["errors"]


async def test_errors_here_are_json_and_pages_keep_theirs(till: Till, served: Served) -> None:
    for path in ("/payment/sale", "/payment/sale/"):
        answer = await till.client.call("GET", path, anonymous=True)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.document == error_body(405, "Method Not Allowed")
    page = await till.client.call("GET", "/hpp/cgi_0000000000000000", anonymous=True)
    assert page.headers["Content-Type"].startswith("text/html")
    _, token = await till.invoice()
    assert (await till.sell(token, path="/payment/sale/")).status == 201


async def test_the_lengths_that_the_merchant_takes_hold_here_too(till: Till) -> None:
    _, token = await till.invoice(gateway_options={"cardgate": {"card_number_length": [15, 18]}})
    assert (await till.sell(token)).errors == {"card_number": "This value should have 15, 18 digits."}


async def test_a_card_number_stays_nowhere(till: Till, office: Office) -> None:
    _, token = await till.invoice()
    await till.sell(token)
    tables = await office.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in (row["tablename"] for row in tables):
        rows = await office.fetch(f"SELECT count(*) AS n FROM {table} AS t WHERE t::text LIKE '%' || $1 || '%'", PLAIN)
        assert rows == [{"n": 0}], table
