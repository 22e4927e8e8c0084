"""The API's description: it describes every route that is served, in shapes and examples that hold."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
import msgspec
import pytest
from axe_playwright_python.async_playwright import Axe
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

import kassa.cardgate.app
from kassa.api import app, gate
from kassa.api.description import document, examples
from kassa.api.description.calls import bracketed
from kassa.api.private.rates import RatesDocument
from kassa.cardgate.operation import Sale
from kassa.cardgate.sale import SaleDocument
from kassa.invoices.creating.request import CreateInvoice, CreatePublicInvoice
from kassa.invoices.document.wire import Document, PublicDocument
from kassa.invoices.listing.document import ListDocument
from kassa.jsonapi import fields
from kassa.jsonapi.answers import HANDLERS, DetailedErrors, InvalidErrors, PlainErrors
from kassa.platform import Platform
from tests.conftest import OpenPage
from tests.support import platform as platforms
from tests.support.api import Client
from tests.support.postgres import Database
from tests.support.serving import Served

OWN = {("GET", "/openapi.json"), ("GET", "/docs")}
"""What describes, and is not described."""
PAGES = ("/hpp/", "/static/")
"""Where the card gate answers payers, which is not described."""
GATE = "https://gate.example"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="module")
async def platform(module_database: Database) -> Any:
    async with platforms.opened(module_database) as opened:
        yield opened


@pytest.fixture(scope="module")
def described(platform: Platform) -> dict[str, Any]:
    return document.describe("https://api.example", app.routes(platform), GATE, gate.OPERATIONS)


def served(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the method and address of every route, wherever it is mounted."""
    for route in routes:
        if isinstance(route, Mount):
            yield from served(route.routes, prefix + route.path)
        elif isinstance(route, Route) and isinstance(route.app, Starlette):
            yield from served(route.app.routes, prefix)
        elif isinstance(route, Route) and route.methods:
            yield from ((method, prefix + route.path) for method in route.methods if method != "HEAD")
        else:
            pytest.fail(f"{route} is not described")


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def listed(described: dict[str, Any], servers: Any) -> set[tuple[str, str]]:
    """Return the method and address of every operation at the servers; None are those of the whole description."""
    return {
        (method.upper(), path)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if operation.get("servers") == servers
    }


def test_every_route_that_is_served_is_described_and_no_other(platform: Platform, described: dict[str, Any]) -> None:
    everything = set(served(app.routes(platform))) - OWN
    # The private API answers without /api as well, and is described once.
    again = {(method, path) for method, path in everything if (method, f"/api{path}") in everything}
    found = listed(described, None)
    assert found == everything - again
    assert len(again) == sum(path.startswith("/api/") for _, path in found)


def test_everything_at_the_card_gate_that_is_no_page_is_described(
    platform: Platform, described: dict[str, Any]
) -> None:
    routes = cast("Starlette", kassa.cardgate.app.create(platform)).routes
    machines = {(method, path) for method, path in served(routes) if not path.startswith(PAGES)}
    # A path is served with a slash at its end as well, and is described once.
    assert listed(described, [{"url": GATE}]) == {(method, path.rstrip("/")) for method, path in machines}


def test_a_form_is_described_as_one_and_answered_with_pages(described: dict[str, Any]) -> None:
    form = described["paths"]["/public-api/payment-invoices/process"]["post"]
    [(media_type, content)] = form["requestBody"]["content"].items()
    assert media_type == "application/x-www-form-urlencoded"
    assert {"customer", "metadata", "return_urls"} <= set(content["encoding"])
    assert "reference_id" not in content["encoding"]
    assert "content" not in form["responses"]["303"]
    assert all(
        [*form["responses"][status]["content"]] == ["text/html"] for status in form["responses"] if status != "303"
    )
    statuses = (200, 303, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)
    assert [*form["responses"]] == [*map(str, statuses)]


def test_the_card_gate_is_described_with_its_own_address_and_token(described: dict[str, Any]) -> None:
    sale = described["paths"]["/payment/sale"]["post"]
    assert sale["security"] == [{"token": []}]
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert [*sale["responses"]] == [*map(str, (201, 400, 401, 409, 413, 415, 422, 429, 500, 503))]
    assert described["components"]["schemas"]["Sale"]["required"] == ["card_number", "cvv", "exp_month", "exp_year"]


def test_every_name_in_it_is_resolved_and_used(described: dict[str, Any]) -> None:
    used = set(references(described))
    there = {
        f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in described["components"][kind]
    }
    assert used - there == set()
    # An error may wait for the first route that answers with it.
    assert {name for name in there - used if "/schemas/" in name} == set()


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own(described: dict[str, Any]) -> None:
    operations = [each for methods in described["paths"].values() for each in methods.values()]
    assert all(each["summary"] and each["tags"] and each["responses"] for each in operations)
    names = [each["operationId"] for each in operations]
    assert sorted(set(names)) == sorted(names)


def test_required_members_are_told(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert schemas["CreateInvoice"]["required"] == ["reference_id", "service", "currency", "amount"]
    assert schemas["CreatePublicInvoice"]["required"] == ["service", "currency", "amount"]
    assert schemas["CreateCustomer"]["required"] == ["reference_id"]
    assert schemas["CreateReturnUrls"]["required"] == ["pending"]
    assert schemas["Attributes"]["required"] == list(schemas["Attributes"]["properties"])
    assert schemas["Resource"]["required"] == ["type", "id", "attributes", "relationships", "links"]
    public = described["paths"]["/public-api/payment-invoices"]["post"]["requestBody"]
    assert "public_key" in public["content"]["application/json"]["schema"]["properties"]


def test_a_callbacks_signatures_are_told(described: dict[str, Any]) -> None:
    callback = described["webhooks"]["callback"]["post"]
    assert [(each["name"], each["in"], each["required"]) for each in callback["parameters"]] == [
        (name, "header", True) for name in ("X-Signature", "webhook-id", "webhook-timestamp", "webhook-signature")
    ]
    assert '"whsec_" + base64' in callback["description"]


def test_types_are_told_as_they_are_read_and_written(described: dict[str, Any]) -> None:
    asked, given = (described["components"]["schemas"][name]["properties"] for name in ("CreateInvoice", "Attributes"))
    bare = {name: {key: value for key, value in asked[name].items() if key != "description"} for name in asked}
    assert bare["amount"] == {
        "type": ["number", "string"],
        "exclusiveMinimum": 0,
        "pattern": f"^{fields.NUMBER}$",
    }
    assert bare["reference_id"] == {"type": ["string", "number"], "minLength": 1, "maxLength": 255}
    assert bare["metadata"] == {"type": ["object", "array", "null"], "maxItems": 0}
    assert bare["flow"] == {"enum": ["charge", "verify", None]}
    assert bare["test_mode"] == {"type": ["boolean", "null"]}
    assert bare["expires"] == {"type": ["integer", "string", "null"]}
    assert given["processed_amount"]["type"] == ["number", "null"]
    assert given["created"] == {"type": "integer", "description": "Unix seconds."}
    assert given["callback_url"]["type"] == ["string", "null"]


def test_the_errors_are_those_of_the_contract(described: dict[str, Any]) -> None:
    responses = described["components"]["responses"]
    shown = {name: each["content"]["application/json"]["example"] for name, each in responses.items()}
    assert shown["Unauthorized"] == {"errors": [{"status": "Unauthorized", "code": "401"}]}
    assert shown["NotFound"] == {"errors": [{"status": "Not Found", "code": "404"}]}
    assert shown["UnprocessableEntity"] == {"errors": {"amount": "This value should be greater than 0."}}
    assert shown["InternalServerError"] == {
        "errors": [
            {
                "status": "internal_error",
                "code": "500",
                "title": "internal_error",
                "detail": "Internal server error.",
            }
        ]
    }
    assert responses["ServiceUnavailable"]["headers"]["Retry-After"]["required"] is True
    creation = described["paths"]["/api/payment-invoices"]["post"]["responses"]
    assert [*creation] == ["201", *map(str, (400, 401, 403, 409, 413, 415, 422, 500, 502, 503, 504))]
    assert set(HANDLERS) >= {Exception}


@pytest.mark.parametrize(
    "name,kind",
    [
        ("private_created", Document),
        ("private_processed", Document),
        ("public_created", PublicDocument),
        ("sale_created", SaleDocument),
        ("exchange_rate", RatesDocument),
    ],
)
def test_an_example_of_an_answer_is_one(name: str, kind: type[msgspec.Struct]) -> None:
    text = json.dumps(examples.load(name))
    read = msgspec.json.decode(text, type=kind)
    assert json.loads(msgspec.json.encode(read)) == json.loads(text)


def test_the_example_of_a_list_is_one() -> None:
    text = json.dumps(examples.page("private_processed"))
    assert json.loads(msgspec.json.encode(msgspec.json.decode(text, type=ListDocument))) == json.loads(text)


def test_an_example_of_a_request_says_nothing_unknown_or_wrong() -> None:
    private = examples.load("private_request")["data"]["attributes"]
    public, form = examples.load("public_request"), examples.load("form_request")
    sale = examples.load("sale_request")["data"]["attributes"]
    del public["public_key"], form["public_key"]
    for kind, asked in (
        (CreateInvoice, private),
        (CreatePublicInvoice, public),
        (CreatePublicInvoice, form),
        (Sale, sale),
    ):
        errors: dict[str, str] = {}
        fields.read(kind, asked, errors)
        assert errors == {}
        assert set(asked) <= {field.name for field in msgspec.structs.fields(kind)}


def test_the_examples_of_errors_have_the_shapes_that_are_told(described: dict[str, Any]) -> None:
    kinds = {kind.__name__: kind for kind in (PlainErrors, DetailedErrors, InvalidErrors)}
    for each in described["components"]["responses"].values():
        content = each["content"]["application/json"]
        kind = kinds[content["schema"]["$ref"].rpartition("/")[2]]
        read = msgspec.convert(content["example"], kind)
        assert msgspec.to_builtins(read) == content["example"]


async def test_the_examples_are_answered_as_they_say(fresh: Client) -> None:
    private = await fresh.call("POST", "/api/payment-invoices", json_body=examples.load("private_request"))
    assert private.status == 201
    assert list(private.attributes) == list(examples.load("private_created")["data"]["attributes"])
    body = examples.load("public_request") | {"public_key": fresh.keys.public_key_test}
    public = await fresh.call("POST", "/public-api/payment-invoices", json_body=body, anonymous=True)
    assert list(public.data) == list(examples.load("public_created")["data"])


async def test_the_example_of_a_form_leads_to_where_it_is_paid(fresh: Client) -> None:
    example = examples.load("form_request") | {"public_key": fresh.keys.public_key_test}
    form = urlencode(dict(bracketed(example))).encode()
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    path = "/public-api/payment-invoices/process"
    answer = await fresh.call("POST", path, body=form, headers=head, anonymous=True)
    assert answer.status == 303
    [row] = (await fresh.call("GET", "/api/payment-invoices?include=customer")).document["included"]
    assert row["attributes"]["address"] == example["customer"]["address"]


async def test_the_example_of_a_sale_is_answered_as_it_says(fresh: Client, served: Served) -> None:
    token = (await fresh.create()).attributes["flow_data"]["metadata"]["token"]
    till = Client(fresh.session, served.gate_url, fresh.keys)
    head = {"Authorization": f"Bearer {token}"}
    answer = await till.call(
        "POST", "/payment/sale", json_body=examples.load("sale_request"), headers=head, anonymous=True
    )
    example = examples.load("sale_created")
    example["data"]["id"] = answer.document["data"]["id"]
    assert (answer.status, answer.document) == (201, example)


async def test_the_description_is_served(shop: Client, served: Served) -> None:
    answer = await shop.call("GET", "/openapi.json", anonymous=True)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.document["openapi"].startswith("3.1")
    assert answer.document["servers"] == [{"url": served.base_url}]
    assert answer.document["paths"]["/payment/sale"]["post"]["servers"] == [{"url": served.gate_url}]


@pytest.mark.parametrize("path, most", [("/openapi.json", 30_000), ("/docs", 40_000)])
async def test_what_is_the_same_for_everyone_is_sent_compressed(
    shop: Client, served: Served, path: str, most: int
) -> None:
    plain = await raw(shop.session, f"{served.base_url}{path}", "identity")
    small = await raw(shop.session, f"{served.base_url}{path}", "gzip")
    assert (plain.headers.get("Content-Encoding"), small.headers.get("Content-Encoding")) == (None, "gzip")
    assert "Accept-Encoding" in small.headers["Vary"]
    assert int(small.headers["Content-Length"]) < most < int(plain.headers["Content-Length"])


async def test_a_page_about_an_invoice_is_never_compressed(shop: Client, served: Served) -> None:
    created = await shop.create()
    for url in (created.attributes["flow_data"]["action"], f"{served.base_url}/hpp/result/{created.data['id']}"):
        assert "Content-Encoding" not in (await raw(shop.session, url, "gzip")).headers


async def raw(session: aiohttp.ClientSession, url: str, encoding: str) -> aiohttp.ClientResponse:
    """Ask for a page and return its headers as they came over the wire."""
    async with session.get(url, headers={"Accept-Encoding": encoding}) as answer:
        assert answer.status == 200
        await answer.read()
        return answer


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_reading_page_tells_all_of_it_without_scripts_and_without_strangers(
    open_page: OpenPage, served: Served, scheme: Any
) -> None:
    asked: list[str] = []
    async with open_page(java_script_enabled=False, color_scheme=scheme) as page:
        page.on("request", lambda request: asked.append(request.url))
        answer = await page.goto(f"{served.base_url}/docs")
        assert answer is not None
        assert "script-src 'self';" in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        text = await page.inner_text("main")
        assert await page.get_by_role("searchbox").count() == 0
        for words in (
            *("Create an invoice", "/public-api/payment-invoices/{invoice_id}", "Idempotency-Key", "Callbacks"),
            *(
                "--data-urlencode 'customer[address][city]=Kyiv'",
                f"curl {served.gate_url}/payment/sale",
                "Bearer $TOKEN",
            ),
        ):
            assert words in text
        assert await page.get_by_role("link", name="openapi.json").get_attribute("href") == "/openapi.json"
    assert {url.removeprefix(served.base_url)[:1] for url in asked} == {"/"}
    assert len(asked) == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_reading_page_can_be_read_by_everybody(open_page: OpenPage, served: Served, scheme: Any) -> None:
    async with open_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme) as page:
        await page.goto(f"{served.base_url}/docs")
        await page.evaluate(
            "document.querySelectorAll('article:first-of-type details').forEach(each => each.open = true)"
        )
        # The articles are of one make: two of each group are enough, or a busy machine takes a minute for them.
        found = await Axe().run(page, context={"exclude": [["article:nth-of-type(n + 3)"]]}, options=RULES)
        assert found.violations_count == 0, found.generate_report()


async def test_each_sample_is_shown_in_the_language_that_is_chosen_for_it(open_page: OpenPage, served: Served) -> None:
    async with open_page(java_script_enabled=False) as page:
        await page.goto(f"{served.base_url}/docs")
        refund = page.locator("#post_api_payment_invoices_invoice_id_refund")
        await refund.get_by_text("PHP", exact=True).click()
        assert await refund.locator("pre:visible").all_inner_texts() == [await refund.locator("pre.php").inner_text()]
        assert await page.locator("#post_api_payment_invoices pre.curl").is_visible()


async def test_scripts_carry_the_language_to_every_sample(open_page: OpenPage, served: Served) -> None:
    async with open_page() as page:
        await page.goto(f"{served.base_url}/docs")
        await page.get_by_role("radio", name="Python").first.focus()
        await page.keyboard.press("ArrowRight")
        shown = page.locator(".tabs pre:visible")
        assert await shown.count() == await page.locator(".tabs").count()
        assert {await each.get_attribute("class") for each in await shown.all()} == {"php"}


async def test_the_reading_page_is_searched(open_page: OpenPage, served: Served) -> None:
    async with open_page() as page:
        await page.goto(f"{served.base_url}/docs")
        await page.keyboard.press("/")
        await page.keyboard.type("rate spread")
        found = page.locator("article[aria-labelledby]:visible")
        assert await found.count() == 1
        assert await page.locator("[data-for]:visible").locator("span").all_inner_texts() == ["Read an exchange rate"]
        count = await page.locator("article[aria-labelledby]").count()
        assert await page.get_by_role("status").inner_text() == f"1 of {count} operations"
        await page.goto(f"{served.base_url}/docs#get_api_account_profile")
        assert await page.locator("#get_api_account_profile").is_visible()


def test_a_conflict_is_explained_for_each_operation(described: dict[str, Any]) -> None:
    descriptions = {
        path: operation["responses"]["409"]["description"]
        for path, methods in described["paths"].items()
        for operation in methods.values()
        if "409" in operation["responses"] and "$ref" not in operation["responses"]["409"]
    }
    assert all(descriptions.values())
    assert "awaits a review" in descriptions["/api/payment-invoices/{invoice_id}/reject"]
    assert descriptions["/api/payment-invoices/{invoice_id}/refund"].startswith("A refund with this ``reference_id``")


async def test_the_reading_page_fits_a_small_screen(open_page: OpenPage, served: Served) -> None:
    async with open_page(viewport={"width": 320, "height": 900}) as page:
        await page.goto(f"{served.base_url}/docs")
        await page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
