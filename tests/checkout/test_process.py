"""The HTML form: a shop's page posts an order, and its payer is forwarded, or shown what is wrong with it."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from yarl import URL

from kassa.pages.languages import languages, translations
from tests.conftest import OpenPage
from tests.support.api import CARD_USD, PUBLIC_INVOICES, Client
from tests.support.office import Office
from tests.support.payer import PLAIN, enter, heading
from tests.support.serving import Served
from tests.support.visitor import Page, Visitor, visiting

PROCESS = f"{PUBLIC_INVOICES}/process"
BY_ADDRESS = "applepay_usd_hpp"
BY_FORM = "qiwi_usd_hpp"
TEST = "test_usd_test"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
async def every(office: Office) -> Client:
    """A shop that takes cards, wallets and the test service."""
    return await office.account(services=(CARD_USD, BY_ADDRESS, BY_FORM, TEST))


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visiting() as visitor:
        yield visitor


def order(shop: Client, **changes: str) -> dict[str, str]:
    members = {"public_key": shop.keys.public_key_test, "service": CARD_USD, "currency": "USD", "amount": "100"}
    return {name: value for name, value in {**members, **changes}.items() if value != "-"}


async def post(shop: Client, fields: Mapping[str, str] | str, **headers: str) -> Page:
    """Send a form as a browser does that then goes nowhere."""
    body = fields if isinstance(fields, str) else urlencode(fields)
    return await post_bytes(shop, body.encode(), **headers)


async def post_bytes(shop: Client, body: bytes, *, query: str = "", **headers: str) -> Page:
    url = URL(f"{shop.base_url}{PROCESS}{query}", encoded=True)
    sent = {**URLENCODED, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with shop.session.post(url, data=body, headers=sent, allow_redirects=False) as answer:
        text = await answer.text()
        return Page(url=str(answer.url), status=answer.status, headers=answer.headers, text=unescape(text))


def errors_shown(page: Page) -> dict[str, str]:
    """Return what a page says is wrong, by the words for each member."""
    rows = page.text.partition("<dl>")[2].partition("</dl>")[0].split("<div>")[1:]
    found = {}
    for row in rows:
        name = row.partition("<bdi>")[2].partition("</bdi>")[0]
        found[name] = row.partition("<dd>")[2].partition("</dd>")[0]
    return found


async def existing(shop: Client, reference_id: str) -> Any:
    rows = (await shop.find(reference_id)).data
    assert len(rows) == 1
    return rows[0]["attributes"]


async def test_an_order_is_created_as_over_json_and_its_payer_forwarded_to_the_card_page(every: Client) -> None:
    reference = str(uuid.uuid4())
    fields = {
        "reference_id": reference,
        "description": "Две тетради & «ручка»",
        "return_url": "https://shop.example/back?a=b",
        "customer[reference_id]": "c-1",
        "customer[name]": "Test Customer",
        "customer[address][full_address]": "Test Address",
        "customer[metadata][tags][]": "vip",
        "metadata[order][lines][0][sku]": "x",
        "metadata[order][lines][1][sku]": "y",
        "metadata[10234]": "2",
        "display[hide_header]": "true",
        "style[theme]": "dark",
        "available_locales": "en,ru",
        "callback_url": "https://elsewhere.example/",
        "submit": "Pay",
    }
    page = await post(every, order(every, **fields))
    assert page.status == 303
    found = await existing(every, reference)
    assert page.headers["Location"] == found["flow_data"]["action"]
    assert (found["source"], found["test_mode"], found["amount"]) == ("platform_public_api", True, 100)
    assert (found["description"], found["return_url"]) == (fields["description"], fields["return_url"])
    assert found["metadata"] == {"order": {"lines": [{"sku": "x"}, {"sku": "y"}]}, "10234": "2"}
    assert found["callback_url"] is None
    listed = await every.call("GET", f"/api/payment-invoices?filter[reference_id]={reference}&include=customer")
    customer = listed.document["included"][0]["attributes"]
    assert (customer["reference_id"], customer["address"]) == ("c-1", {"full_address": "Test Address"})
    assert customer["metadata"] == {"tags": ["vip"]}


async def test_the_form_is_paid_in_a_browser(open_page: OpenPage, every: Client, served: Served) -> None:
    reference = str(uuid.uuid4())
    shop_page = "".join(
        f'<input type="hidden" name="{name}" value="{value}">'
        for name, value in order(every, reference_id=reference).items()
    )
    async with open_page() as page:
        await page.set_content(
            f'<form method="post" action="{served.base_url}{PROCESS}">{shop_page}<button>Buy</button></form>'
        )
        await page.get_by_role("button", name="Buy").click()
        await page.wait_for_url(f"{served.gate_url}/hpp/*")
        await enter(page, PLAIN)
        await heading(page, "Payment received")
    assert (await existing(every, reference))["status"] == "processed"


async def test_a_wallet_by_address_is_gone_to_directly(every: Client, served: Served) -> None:
    page = await post(every, order(every, service=BY_ADDRESS))
    assert page.status == 303
    assert page.headers["Location"].startswith(f"{served.bank_url}/wallets/")
    assert page.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_wallet_by_form_is_posted_to_by_itself_or_by_a_button(
    open_page: OpenPage, every: Client, served: Served, *, scripts: bool
) -> None:
    fields = {"service": BY_FORM, "service_fields[phone]": "+380987654321"}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in order(every, **fields).items())
    async with open_page(java_script_enabled=scripts) as page:
        await page.set_content(f'<form method="post" action="{served.base_url}{PROCESS}">{inputs}<button>Buy</button>')
        await page.get_by_role("button", name="Buy").click()
        if not scripts:
            await heading(page, "Finish your payment")
            await page.get_by_role("button", name="Go to the payment page").click()
        await page.wait_for_url(f"{served.bank_url}/wallets/*")
        await page.locator("button[name=decision][value=approve]").click()
        await heading(page, "Payment received")


async def test_the_page_that_posts_may_post_to_the_provider_alone(every: Client, served: Served) -> None:
    page = await post(every, order(every, service=BY_FORM, **{"service_fields[phone]": "+380987654321"}))
    assert page.status == 200
    assert f"form-action 'self' {served.bank_url};" in page.headers["Content-Security-Policy"]
    assert f'<form method="post" action="{served.bank_url}/wallets"' in page.text


async def test_the_test_service_and_a_refusing_wallet_lead_to_the_result(every: Client, served: Served) -> None:
    ended = await post(every, order(every, service=TEST, **{"service_fields[status]": "success"}))
    refused = await post(every, order(every, service=BY_ADDRESS, amount="500001"))
    for page in (ended, refused):
        assert page.status == 303
        assert page.headers["Location"].startswith(f"{served.base_url}/hpp/result/cpi_")


async def test_the_old_name_of_service_fields_is_understood(every: Client, served: Served) -> None:
    page = await post(every, order(every, service=TEST, **{"fields[status]": "success"}))
    assert page.status == 303


async def test_an_honest_repeat_leads_to_the_standing_invoice(every: Client, served: Served) -> None:
    reference = str(uuid.uuid4())
    first = await post(every, order(every, reference_id=reference))
    again = await post(every, order(every, reference_id=reference, description="other words"))
    assert (again.status, again.headers["Location"]) == (303, first.headers["Location"])
    rows = (await every.find(reference)).data
    assert len(rows) == 1
    paid = str(uuid.uuid4())
    fields = order(every, reference_id=paid, service=TEST, **{"service_fields[status]": "success"})
    ended = [(await post(every, fields)).headers["Location"] for _ in range(2)]
    assert ended[0] == ended[1]


@pytest.mark.parametrize(
    "change", [{"amount": "101"}, {"service": TEST, "service_fields[status]": "success"}], ids=["amount", "service"]
)
async def test_another_order_of_that_number_is_a_conflict_that_tells_nothing(
    every: Client, change: dict[str, str]
) -> None:
    reference = str(uuid.uuid4())
    first = await post(every, order(every, reference_id=reference))
    page = await post(every, order(every, reference_id=reference, **change))
    assert page.status == 409
    assert "This order number is already in use" in page.text
    assert first.headers["Location"] not in page.text
    assert "cgi_" not in page.text
    assert "cpi_" not in page.text


async def test_empty_values_are_absent(every: Client) -> None:
    reference = str(uuid.uuid4())
    blank = (
        "description",
        "return_url",
        "locale",
        "expires",
        "customer[reference_id]",
        "customer[name]",
        "metadata[a]",
    )
    page = await post(every, order(every, reference_id=reference, **dict.fromkeys(blank, "")))
    assert page.status == 303
    found = await existing(every, reference)
    assert (found["description"], found["return_url"], found["metadata"]) == (None, None, [])


async def test_a_customer_without_a_number_is_refused_by_name(every: Client) -> None:
    page = await post(every, order(every, **{"customer[name]": "A"}))
    assert (page.status, errors_shown(page)) == (422, {"Customer number": "This value should not be blank."})


async def test_all_that_is_wrong_is_told_at_once_in_words_for_people(every: Client) -> None:
    fields = {
        "amount": "1.005",
        "return_url": "javascript:alert(1)",
        "expires": "tomorrow",
        "description": "x" * 2001,
        "customer[email]": "a\x00b",
        "customer[reference_id]": "1",
    }
    page = await post(every, order(every, **fields))
    assert page.status == 422
    assert errors_shown(page) == {
        "Amount": "This value should have no more than 2 decimals in USD.",
        "Address to return to the shop": "This value is not a valid URL.",
        "Time to pay": "This value is not a valid datetime.",
        "Description": "This value is too long. It should have 2000 characters or less.",
        "Your email": "This value should not contain control characters.",
    }
    assert "x" * 100 not in page.text


async def test_a_payer_with_a_broken_order_is_told_what_to_quote_and_led_back(every: Client, office: Office) -> None:
    shop = await office.account(merchant_url="https://shop.example/cart")
    page = await post(shop, order(shop, amount="0"), X_Request_ID="0123456789abcdef")
    text = unescape(page.text)
    assert page.status == 422
    assert "<h1>This payment link doesn't work</h1>" in text
    assert "You weren't charged. Go back to Shop and give them this reference: 01234567" in text
    assert "Details for the shop" in text.partition("<details")[2].partition("</summary>")[0]
    assert '<a class="main" href="https://shop.example/cart" rel="noreferrer">Back to Shop</a>' in text
    unnamed = await post(every, order(every, amount="0"))
    assert "Back to" not in unnamed.text


async def test_a_service_field_is_called_what_the_catalogue_calls_it(every: Client) -> None:
    page = await post(every, order(every, service=BY_FORM, locale="ru"))
    assert list(errors_shown(page).values()) == ["Значение не указано."]
    assert "service_fields" not in page.text


@pytest.mark.parametrize(
    "change, name, message",
    [
        ({"amount": "0"}, "Amount", "This value should be greater than 0."),
        ({"amount": "-5"}, "Amount", "This value should be greater than 0."),
        ({"amount": "NaN"}, "Amount", "This value should be a number."),
        ({"amount": "9999999"}, "Amount", "This value should be 1000000 or less."),
        ({"amount": "-"}, "Amount", "This value should not be blank."),
        ({"currency": "XTS"}, "Currency", "This service takes USD."),
        ({"currency": "ZZZ"}, "Currency", "This value is not a valid currency."),
        ({"service": "nothing"}, "Payment method", "This service does not exist, or is not enabled for this account."),
        ({"service": "-"}, "Payment method", "This value should not be blank."),
        ({"metadata": "x"}, "The shop's own data", "This value should be of type object."),
        ({"description[a]": "x"}, "Description", "This value should be of type string."),
    ],
)
async def test_the_rules_are_those_of_json_to_the_word(
    every: Client, change: dict[str, str], name: str, message: str
) -> None:
    page = await post(every, order(every, **change))
    assert (page.status, errors_shown(page)) == (422, {name: message})
    members = {key: value for key, value in change.items() if value != "-" and "[" not in key}
    gone: dict[str, Any] = {key: None for key, value in change.items() if value == "-"}
    if members or gone:
        said = (await every.create_publicly(**members, **gone)).errors
        assert list(said.values()) == [message]


@pytest.mark.parametrize("code", list(languages()))
async def test_every_text_of_the_page_is_in_the_payers_language(every: Client, code: str) -> None:
    fields = order(every, amount="9999999", expires="x", reference_id="y" * 256, language=code)
    page = await post(every, fields, Accept_Language="de")
    said = translations(code).gettext
    assert page.headers["Content-Language"] == code
    assert errors_shown(page) == {
        said("Amount"): said("This value should be %(most)s or less.") % {"most": "1000000"},
        said("Time to pay"): said("This value is not a valid datetime."),
        said("Order number"): said("This value is too long. It should have %(most)s characters or less.")
        % {"most": 255},
    }


@pytest.mark.parametrize("name", ["locale", "lang", "language"])
async def test_the_language_asked_for_is_kept_with_the_invoice(every: Client, payer: Visitor, name: str) -> None:
    page = await post(every, order(every, **{name: "uk"}))
    card = await payer.open(page.headers["Location"])
    assert card.headers["Content-Language"] == "uk"


async def test_language_comes_from_the_form_then_the_query_then_the_browser_and_never_from_a_cookie(
    every: Client,
) -> None:
    wrong = urlencode(order(every, amount="0")).encode()
    cases = [
        ("", b"&locale=uk", "ru", "uk"),
        ("?lang=ru", b"", "uk", "ru"),
        ("", b"", "ru-RU,ru;q=0.9", "ru"),
        ("", b"&locale=tlh", "de", "en"),
    ]
    for query, more, accepted, expected in cases:
        page = await post_bytes(every, wrong + more, query=query, Accept_Language=accepted, Cookie="kassa_locale=uk")
        assert page.headers["Content-Language"] == expected
        assert "Set-Cookie" not in page.headers


@pytest.mark.parametrize("code", list(languages()))
async def test_a_wrong_key_is_told_on_a_page(every: Client, code: str) -> None:
    for key in ("-", "pk_test_" + "x" * 43, "nonsense"):
        page = await post(every, order(every, public_key=key, lang=code))
        assert page.status == 401
        assert translations(code).gettext("This shop's payment form doesn't work") in unescape(page.text)
        assert "WWW-Authenticate" not in page.headers


async def test_an_account_that_takes_no_public_orders_says_so(office: Office) -> None:
    closed = await office.account(forbid_public_access="true")
    page = await post(closed, order(closed))
    assert page.status == 403
    assert "This shop doesn't take payments through this form" in page.text


@pytest.mark.parametrize(
    "more, name",
    [
        ("&amount=5", "Amount"),
        ("&customer[name]=a&customer[name]=b&customer[reference_id]=1", "Your name"),
        ("&metadata[a]=1&metadata%5Ba%5D=2", "The shop's own data"),
    ],
)
async def test_a_value_that_is_given_twice_is_refused_where_it_matters(every: Client, more: str, name: str) -> None:
    page = await post(every, urlencode(order(every)) + more)
    assert (page.status, errors_shown(page)) == (422, {name: "This value is given more than once."})


async def test_what_nobody_reads_may_be_given_twice(every: Client) -> None:
    page = await post(every, urlencode(order(every)) + "&button=1&button=2&display[a]=1&display[a]=2&amount=")
    assert page.status == 303


@pytest.mark.parametrize(
    "body, content_type, status",
    [
        (b"{}", "application/json", 415),
        (b"a=" + b"b" * 70_000, URLENCODED["Content-Type"], 413),
        (b"a=b&" * 600, URLENCODED["Content-Type"], 400),
        (b"a=%FF", URLENCODED["Content-Type"], 400),
        (b"\xff=b", URLENCODED["Content-Type"], 400),
        (b"a" + b"[b]" * 33 + b"=1", URLENCODED["Content-Type"], 400),
        (b"", URLENCODED["Content-Type"], 401),
        (b"public_key[]=a", URLENCODED["Content-Type"], 401),
    ],
)
async def test_what_cannot_be_read_is_told_on_a_page(
    every: Client, body: bytes, content_type: str, status: int
) -> None:
    page = await post_bytes(every, body, **{"Content-Type": content_type})
    assert page.status == status
    assert page.text.startswith("<!doctype html>")


async def test_names_in_brackets_may_be_as_deep_as_json(every: Client) -> None:
    reference = str(uuid.uuid4())
    deep = "metadata" + "[a]" * 20
    assert (await post(every, order(every, reference_id=reference, **{deep: "1"}))).status == 303
    assert json.dumps((await existing(every, reference))["metadata"]).count('"a"') == 20


async def test_nothing_that_is_sent_can_become_markup(every: Client) -> None:
    evil = '"><script>alert(1)</script>'
    url = f"{every.base_url}{PROCESS}"
    body = urlencode(order(every, amount=evil, **{f"service_fields[{evil}]": "1", f"metadata[{evil}\x00]": "1"}))
    async with every.session.post(url, data=body.encode(), headers=URLENCODED) as answer:
        assert answer.status == 422
        assert "<script>alert" not in await answer.text()


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_other_methods_are_refused_with_the_one_that_is_taken(every: Client, method: str) -> None:
    for slash in ("", "/"):
        answer = await every.call(method, PROCESS + slash, anonymous=True)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_the_form_shares_the_public_apis_open_door(every: Client) -> None:
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    answer = await every.call("OPTIONS", PROCESS, headers=headers, anonymous=True)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")


async def test_an_invoice_that_exists_is_opened_by_its_id(every: Client, payer: Visitor) -> None:
    created = await every.create()
    page = await post(every, {"cpi": created.data["id"]})
    assert (page.status, page.headers["Location"]) == (303, created.attributes["flow_data"]["action"])
    for unknown in ("cpi_0000000000000000", "nonsense"):
        assert (await post(every, {"cpi": unknown})).status == 404


async def test_a_refused_order_writes_nothing(every: Client, office: Office) -> None:
    before = await office.rows(every.keys.id)
    for change in ({"amount": "0"}, {"customer[name]": "A"}, {"service": "x"}):
        assert (await post(every, order(every, **change))).status == 422
    assert await office.rows(every.keys.id) == before


async def test_the_page_of_mistakes_has_no_switch_to_an_address_that_takes_no_get(every: Client) -> None:
    page = await post(every, order(every, amount="0"))
    assert "?locale=" not in page.text
