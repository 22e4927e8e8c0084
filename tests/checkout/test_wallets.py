"""A wallet's payer on our result page: the way to the wallet, the way back, and what is said on it."""

import html
from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import Page

from tests.conftest import OpenPage
from tests.support import books
from tests.support.api import INVOICES, Answer, Client
from tests.support.office import Office
from tests.support.payer import heading
from tests.support.serving import Served
from tests.support.visitor import Visitor, visiting
from tests.support.world import GOOD_SECURE

BY_ADDRESS = "applepay_usd_hpp"
BY_FORM = "qiwi_usd_hpp"
TEST = "test_usd_test"
PHONE = {"phone": "+380987654321"}


@pytest.fixture(scope="module")
async def wallets(office: Office) -> Client:
    """A shop that takes wallets and the test service."""
    return await office.account(services=(BY_ADDRESS, BY_FORM, TEST))


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visiting() as visitor:
        yield visitor


async def asked(shop: Client, service: str, **changes: object) -> Answer:
    fields = changes.pop("service_fields", PHONE if service == BY_FORM else None)
    created = await shop.create(INVOICES, service=service, service_fields=fields, **changes)
    assert created.attributes["status"] == "process_pending", created.text
    return created


def result_url(served: Served, created: Answer) -> str:
    return f"{served.base_url}/hpp/result/{created.data['id']}"


async def decide(page: Page, decision: str, served: Served) -> None:
    await page.wait_for_url(f"{served.bank_url}/wallets/*")
    await page.locator(f"button[name=decision][value={decision}]").click()


@pytest.mark.parametrize("service", [BY_ADDRESS, BY_FORM])
@pytest.mark.parametrize("scripts", [True, False])
async def test_the_result_page_leads_to_the_wallet_and_the_wallet_back_to_it(
    open_page: OpenPage, wallets: Client, served: Served, *, service: str, scripts: bool
) -> None:
    created = await asked(wallets, service)
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto(result_url(served, created))
        await heading(page, "Finish your payment")
        way = page.get_by_role("button" if service == BY_FORM else "link", name="Go to the payment page")
        await way.click()
        await decide(page, "approve", served)
        await heading(page, "Payment received")
        assert page.url == result_url(served, created)
    found = (await wallets.read(created.data["id"])).attributes
    assert (found["status"], found["processed_amount"]) == ("processed", 100)


@pytest.mark.parametrize(
    "locale, waiting, failed",
    [
        ("en", "Finish your payment", "Payment failed"),
        ("ru", "Завершите оплату", "Оплата не прошла"),
        ("uk", "Завершіть оплату", "Оплата не пройшла"),
    ],
)
async def test_a_payer_who_says_no_there_is_told_so_in_his_language(
    wallets: Client, served: Served, payer: Visitor, *, locale: str, waiting: str, failed: str
) -> None:
    created = await asked(wallets, BY_ADDRESS, locale=locale, return_url="https://shop.example/back")
    shown = await payer.open(result_url(served, created))
    assert shown.heading == waiting
    page = await payer.open(created.attributes["flow_data"]["action"])
    ended = await payer.press(page, "decline")
    assert (ended.heading, ended.url) == (failed, result_url(served, created))
    assert "карт" not in ended.text.replace("</style>", "")
    found = (await wallets.read(created.data["id"])).attributes
    assert (found["status"], found["resolution"]) == ("process_failed", "client_auth_failed")


async def test_going_back_undecided_shows_the_way_again(wallets: Client, served: Served, payer: Visitor) -> None:
    created = await asked(wallets, BY_FORM)
    result = await payer.open(result_url(served, created))
    assert result.form.action == f"{served.bank_url}/wallets"
    assert f"form-action 'self' {served.bank_url};" in result.headers["Content-Security-Policy"]
    back = await payer.press(await payer.press(result), "abandon")
    assert (back.heading, back.form) == ("Finish your payment", result.form)
    paid = await payer.press(await payer.press(back), "approve")
    assert paid.heading == "Payment received"


@pytest.mark.parametrize("decision, expected", [("approve", "success"), ("decline", "fail"), ("abandon", "pending")])
async def test_the_page_leads_on_to_where_the_merchant_wants_the_payer(
    wallets: Client, served: Served, payer: Visitor, decision: str, expected: str
) -> None:
    urls = {name: f"https://shop.example/{name}?a=b" for name in ("success", "fail", "pending")}
    created = await asked(wallets, BY_ADDRESS, return_urls=urls)
    page = await payer.press(await payer.open(created.attributes["flow_data"]["action"]), decision)
    status = (await wallets.read(created.data["id"])).attributes["status"]
    onward = page.links["Back to Shop"]
    assert onward.startswith(f"{urls[expected]}&id={created.data['id']}&")
    assert f"status={status}" in onward
    if decision == "approve":
        assert page.refresh == (10, onward)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_return_wakes_the_question_and_decides_nothing(
    wallets: Client, served: Served, payer: Visitor, method: str
) -> None:
    created = await asked(wallets, BY_ADDRESS)
    url = f"{result_url(served, created)}/return"
    if method == "GET":
        page = await payer.open(f"{url}?status=success&transaction=forged")
        assert page.url == result_url(served, created)
    else:
        page = await payer.send(url, status="success", state="APPROVED")
        assert (page.status, page.headers["Location"]) == (303, f"/hpp/result/{created.data['id']}")
    assert page.headers["Cache-Control"] == "no-store"
    assert (await wallets.read(created.data["id"])).attributes["status"] == "process_pending"


async def test_a_return_that_cannot_be_read_is_told_on_a_page(wallets: Client, served: Served, office: Office) -> None:
    created = await asked(wallets, BY_ADDRESS)
    url = f"{result_url(served, created)}/return"
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies: list[tuple[bytes, dict[str, str], int]] = [
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"a=" + b"b" * 20_000, urlencoded, 413),
        (b"a=b&" * 60, urlencoded, 400),
        (b"\xff=b", urlencoded, 400),
    ]
    for body, headers, status in bodies:
        async with office.session.post(url, data=body, headers=headers) as answer:
            assert answer.status == status
            assert "We couldn't read this request" in html.unescape(await answer.text())


@pytest.mark.parametrize("path", ["cpi_0000000000000000", "cgi_x", "cpi_x"])
async def test_a_return_to_no_invoice_finds_no_page(served: Served, office: Office, path: str) -> None:
    async with office.session.get(f"{served.base_url}/hpp/result/{path}/return") as answer:
        assert answer.status == 404


async def test_a_card_invoice_returns_to_its_gate_and_not_here(shop: Client, served: Served, payer: Visitor) -> None:
    created = await shop.create()
    page = await payer.open(f"{result_url(served, created)}/return")
    assert (page.heading, page.url) == ("Not paid yet", result_url(served, created))


async def test_the_invoices_own_address_shows_the_way_to_the_wallet(
    wallets: Client, served: Served, payer: Visitor
) -> None:
    created = await asked(wallets, BY_ADDRESS)
    page = await payer.open(created.attributes["hpp_url"])
    assert page.url == result_url(served, created)
    assert page.links["Go to the payment page"] == created.attributes["flow_data"]["action"]


@pytest.mark.parametrize(
    "status, expected",
    [("success", "Payment received"), ("fail", "Payment failed"), ("pending", "Waiting for the payment service")],
)
async def test_the_test_services_page_is_our_own(
    wallets: Client, served: Served, payer: Visitor, status: str, expected: str
) -> None:
    created = await asked(wallets, TEST, service_fields={"status": status})
    page = await payer.open(created.attributes["flow_data"]["action"])
    assert (page.url, page.heading) == (result_url(served, created), expected)
    assert "Go to the payment page" not in page.links
    assert page.forms == []


async def test_a_payer_whom_the_wallet_refused_at_once_is_told_what_happened(
    wallets: Client, served: Served, payer: Visitor
) -> None:
    created = await wallets.create(service=BY_ADDRESS, amount=500_001)
    page = await payer.open(result_url(served, created))
    assert page.heading == "Payment failed"
    assert "exceeds a limit of the payment service" in page.text
    assert "card" not in page.text.partition("<main")[2]


async def test_the_page_follows_what_the_payer_does_in_another_window(
    open_page: OpenPage, wallets: Client, served: Served, office: Office
) -> None:
    created = await asked(wallets, BY_ADDRESS)
    async with open_page() as page:
        await page.goto(result_url(served, created))
        await heading(page, "Finish your payment")
        await approve(office.session, created)
        await heading(page, "Payment received")


async def approve(session: aiohttp.ClientSession, created: Answer) -> None:
    action = created.attributes["flow_data"]["action"]
    async with session.post(action, data={"decision": "approve"}, allow_redirects=False) as answer:
        assert answer.status == 303


@pytest.mark.parametrize("service", [BY_ADDRESS, BY_FORM])
async def test_a_payer_who_gives_the_wallet_up_ends_the_payment(
    wallets: Client, served: Served, office: Office, payer: Visitor, *, service: str
) -> None:
    created = await asked(wallets, service, return_url="https://shop.example/back")
    waiting = await payer.open(result_url(served, created))
    assert "Cancel the payment" in waiting.text
    ended = await payer.give_up(waiting)
    assert (ended.heading, ended.url) == ("Payment failed", result_url(served, created))
    assert ended.links["Back to Shop"].startswith("https://shop.example/back?")
    assert ended.cancel is None
    found = (await wallets.read(created.data["id"])).attributes
    assert (found["status"], found["resolution"]) == ("process_failed", "client_auth_failed")
    assert await books.taken_for(office, served.bank_url, created.data["id"]) == []
    again = await payer.open(f"{result_url(served, created)}/return")
    assert again.heading == "Payment failed"


async def test_a_wallet_that_was_paid_first_is_paid_though_it_is_given_up(
    wallets: Client, served: Served, office: Office, payer: Visitor
) -> None:
    created = await asked(wallets, BY_ADDRESS)
    waiting = await payer.open(result_url(served, created))
    await approve(office.session, created)
    assert (await payer.give_up(waiting)).heading == "Payment received"


async def test_a_cancellation_that_the_bank_does_not_answer_leaves_the_wallet_open(
    wallets: Client, served: Served, office: Office, payer: Visitor
) -> None:
    created = await asked(wallets, BY_ADDRESS)
    waiting = await payer.open(result_url(served, created))
    async with office.session.post(f"{served.bank_url}/days", json={"day": "fails_before"}) as answer:
        assert answer.status == 200
    still = await payer.give_up(waiting)
    assert still.heading == "Finish your payment"
    assert "could not be cancelled yet" in still.text
    assert (await payer.give_up(still)).heading == "Payment failed"


async def test_only_a_wallets_payment_is_given_up_here(
    wallets: Client, shop: Client, served: Served, office: Office, payer: Visitor
) -> None:
    by_card, played = await shop.create(), await asked(wallets, TEST, service_fields={"status": "pending"})
    form = await payer.open(by_card.attributes["flow_data"]["action"])
    await payer.press(form, card_number=GOOD_SECURE, expiry="12/30", cvc="123")
    for created in (by_card, played):
        page = await payer.open(result_url(served, created))
        assert page.cancel is None
        answer = await payer.send(f"{result_url(served, created)}/cancel", number="1")
        assert (answer.status, answer.headers["Location"]) == (303, f"/hpp/result/{created.data['id']}")
    assert (await shop.read(by_card.data["id"])).attributes["status"] == "process_pending"
    rows = await office.fetch("SELECT status FROM payments WHERE invoice_id = $1", by_card.data["id"])
    assert rows == [{"status": "process_pending"}]


async def test_no_invoice_is_given_up_by_a_wrong_address_or_form(
    wallets: Client, served: Served, office: Office
) -> None:
    created = await asked(wallets, BY_ADDRESS)
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    requests: list[tuple[str, bytes, dict[str, str], int]] = [
        (f"{served.base_url}/hpp/result/cpi_0000000000000000/cancel", b"number=1", urlencoded, 404),
        (f"{result_url(served, created)}/cancel", b"{}", {"Content-Type": "application/json"}, 415),
        (f"{result_url(served, created)}/cancel", b"a=" + b"b" * 2000, urlencoded, 413),
    ]
    for url, body, headers, status in requests:
        async with office.session.post(url, data=body, headers=headers) as answer:
            assert answer.status == status
    assert (await wallets.read(created.data["id"])).attributes["status"] == "process_pending"
