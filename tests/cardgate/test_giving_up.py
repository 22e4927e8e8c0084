"""A payer who cannot confirm uses another card; another tab's card is never thrown away without a word."""

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page as BrowserPage

from tests.cardgate.test_browser import accessible, with_and_without_scripts
from tests.conftest import OpenPage
from tests.support import books
from tests.support.api import Client
from tests.support.office import Office
from tests.support.payer import PLAIN, SECURE, asked, decide, enter, heading
from tests.support.serving import Served
from tests.support.visitor import Page, Visitor, visiting

CONFIRM = "Confirm with your bank"
DECLINED = "The payment was declined"
NOT_CHARGED = "The card you have just entered was not charged"
STILL_OPEN = "This payment could not be cancelled yet"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visiting() as visitor:
        yield visitor


async def pay(payer: Visitor, form: Page, number: str, expiry: str = "12/30") -> Page:
    return await payer.press(form, card_number=number, expiry=expiry, cvc="123")


async def attempts(office: Office, invoice_id: str) -> list[str]:
    rows = await office.fetch("SELECT status FROM payments WHERE invoice_id = $1 ORDER BY attempt_number", invoice_id)
    return [row["status"] for row in rows]


async def spoil(office: Office, served: Served, day: str) -> None:
    """Let the bank's next answer go wrong."""
    async with office.session.post(f"{served.bank_url}/days", json={"day": day}) as answer:
        assert answer.status == 200


async def alert(page: BrowserPage) -> str:
    return await page.get_by_role("alert").inner_text()


@with_and_without_scripts
async def test_a_payer_who_cannot_confirm_uses_another_card(
    open_page: OpenPage, shop: Client, office: Office, served: Served, *, scripts: bool
) -> None:
    invoice_id, url = await asked(shop)
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto(url)
        await enter(page, SECURE)
        await decide(page, "abandon")
        await heading(page, CONFIRM)
        if scripts:  # Without them the page loads itself again every few seconds.
            await accessible(page)
        await page.get_by_role("button", name="Use another card").click()
        await heading(page, DECLINED)
        assert re.search(r"confirm.* with your bank", await alert(page))
        assert "You can try 4 more times." in await alert(page)
        assert page.url == url
        await enter(page, PLAIN)
        await heading(page, "Payment received")
    assert await attempts(office, invoice_id) == ["process_failed", "processed"]
    assert len(await books.taken_for(office, served.bank_url, invoice_id)) == 1
    assert await books.agree_on(office, served.bank_url, invoice_id)


@with_and_without_scripts
async def test_another_tabs_card_is_not_charged_and_its_payer_is_shown_why(
    open_page: OpenPage, shop: Client, office: Office, served: Served, *, scripts: bool
) -> None:
    invoice_id, url = await asked(shop)
    async with open_page(java_script_enabled=scripts) as first, open_page(java_script_enabled=False) as second:
        await second.goto(url)
        await first.goto(url)
        await enter(first, SECURE)
        await first.wait_for_url("**/acs/**")
        await enter(second, PLAIN)
        await heading(second, CONFIRM)
        assert NOT_CHARGED in await alert(second)
        assert await attempts(office, invoice_id) == ["process_pending"]
        await second.get_by_role("button", name="Use another card").click()
        await heading(second, DECLINED)
        await first.reload()
        await first.get_by_text("was cancelled in the shop").wait_for()
        await enter(second, PLAIN)
        await heading(second, "Payment received")
        await first.get_by_role("link", name="Back to the shop").click()
        await heading(first, "Payment received")
    assert len(await books.taken_for(office, served.bank_url, invoice_id)) == 1


async def test_a_second_click_with_the_same_card_goes_on_to_the_bank(shop: Client, payer: Visitor) -> None:
    _, url = await asked(shop)
    form = await payer.open(url)
    challenge = await pay(payer, form, SECURE)
    assert (await pay(payer, form, SECURE)).url == challenge.url
    for number, expiry in ((PLAIN, "12/30"), (SECURE, "11/30")):
        other = await pay(payer, form, number, expiry)
        assert (other.heading, NOT_CHARGED in other.text) == (CONFIRM, True)


async def test_another_card_is_named_also_while_the_bank_decides(shop: Client, payer: Visitor) -> None:
    _, url = await asked(shop)
    form = await payer.open(url)
    assert (await pay(payer, form, PLAIN, "07/77")).heading == "Waiting for your bank"
    other = await pay(payer, form, SECURE)
    assert (other.heading, NOT_CHARGED in other.text, other.cancel) == ("Waiting for your bank", True, None)


async def test_the_sentence_is_shown_only_while_it_is_true(shop: Client, payer: Visitor) -> None:
    _, url = await asked(shop)
    for note in ("other-card", "still-open"):
        page = await payer.open(f"{url}?note={note}")
        assert page.form.fields["number"] == "1"
        assert NOT_CHARGED not in page.text
        assert STILL_OPEN not in page.text
    await pay(payer, await payer.open(url), SECURE)
    assert 'role="alert"' not in (await payer.open(f"{url}?note=anything")).text


@pytest.mark.parametrize("day, closed", [("fails_before", False), ("fails_after", True), ("garbage", True)])
async def test_where_the_bank_does_not_answer_the_first_card_stays_the_only_one(
    shop: Client, office: Office, served: Served, payer: Visitor, day: str, *, closed: bool
) -> None:
    invoice_id, url = await asked(shop)
    await pay(payer, await payer.open(url), SECURE)
    page = await payer.open(url)
    await spoil(office, served, day)
    after = await payer.give_up(page)
    assert (after.heading, STILL_OPEN in after.text) == (CONFIRM, True)
    assert await attempts(office, invoice_id) == ["process_pending"]
    again = await payer.give_up(after)
    assert again.form.fields["number"] == "2"
    assert await attempts(office, invoice_id) == ["process_failed"]
    assert closed or await books.taken_for(office, served.bank_url, invoice_id) == []


async def test_approving_and_giving_up_at_the_same_time_is_decided_by_the_bank(
    shop: Client, office: Office, served: Served, payer: Visitor
) -> None:
    for _ in range(6):
        invoice_id, url = await asked(shop)
        challenge = await pay(payer, await payer.open(url), SECURE)
        page = await payer.open(url)
        await asyncio.gather(payer.send(challenge.form.action, decision="approve"), payer.give_up(page))
        after = await payer.open(url)
        taken = await books.taken_for(office, served.bank_url, invoice_id)
        if taken:
            assert (after.heading, await attempts(office, invoice_id)) == ("Payment received", ["processed"])
        else:
            assert (await pay(payer, after, PLAIN)).heading == "Payment received"
            assert await attempts(office, invoice_id) == ["process_failed", "processed"]
        assert len(await books.taken_for(office, served.bank_url, invoice_id)) == 1
        assert await books.agree_on(office, served.bank_url, invoice_id)


async def test_giving_up_counts_as_an_attempt_and_the_last_one_ends_the_invoice(office: Office, payer: Visitor) -> None:
    shop = await office.account(attempts="2")
    invoice_id, url = await asked(shop, return_url="https://shop.example/back")
    await pay(payer, await payer.open(url), SECURE)
    first = await payer.open(url)
    assert ("Use another card" in first.text, "Cancel the payment" in first.text) == (True, False)
    await pay(payer, await payer.give_up(first), SECURE)
    second = await payer.open(url)
    assert ("Use another card" in second.text, "Cancel the payment" in second.text) == (False, True)
    last = await payer.give_up(second)
    assert last.heading == "Payment failed"
    assert last.links["Back to Shop"].startswith("https://shop.example/back?")
    found = (await shop.read(invoice_id)).attributes
    assert (found["status"], found["resolution"]) == ("process_failed", "client_auth_failed")


async def test_what_cancels_nothing_leads_back_to_the_page(shop: Client, office: Office, payer: Visitor) -> None:
    invoice_id, url = await asked(shop)
    assert (await payer.send(f"{url}/cancel", number="1")).headers["Location"] == f"/hpp/{url.split('/')[-1]}"
    await pay(payer, await payer.open(url), SECURE)
    for number in ("", "0", "2", "x"):
        assert (await payer.send(f"{url}/cancel", number=number)).status == 303
    assert await attempts(office, invoice_id) == ["process_pending"]


async def test_what_is_no_form_cancels_nothing(shop: Client, office: Office, payer: Visitor) -> None:
    invoice_id, url = await asked(shop)
    await pay(payer, await payer.open(url), SECURE)
    bodies: list[tuple[bytes, dict[str, str], int]] = [
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"number=1&a=" + b"b" * 20_000, URLENCODED, 413),
        (urlencode([("number", "1"), ("number", "2")]).encode(), URLENCODED, 400),
    ]
    for body, headers, status in bodies:
        async with office.session.post(f"{url}/cancel", data=body, headers=headers) as answer:
            assert answer.status == status
    async with office.session.get(f"{url}/cancel") as answer:
        assert answer.status == 405
    async with office.session.post(f"{url[:-4]}0000/cancel", data=b"number=1", headers=URLENCODED) as answer:
        assert answer.status == 404
    assert await attempts(office, invoice_id) == ["process_pending"]
