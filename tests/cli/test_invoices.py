"""``kassa invoices``, ``kassa open`` and ``kassa trigger``: a developer's day with a running Kassa."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import command, serving
from tests.support import office as offices
from tests.support.command import Ran
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Serving

UNKNOWN = "cpi_Nobo000000000000"

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
async def office(serving_kassa: Serving) -> AsyncIterator[Office]:
    """The operator of the running Kassa."""
    async with offices.opened(serving_kassa) as opened:
        yield opened


@pytest.fixture
def kassa(serving_kassa: Serving) -> Kassa:
    """Run commands in the running Kassa's home."""
    return runner(serving_kassa)


def runner(running: Serving) -> Kassa:
    async def run(*words: str, **more: str) -> Ran:
        return await command.run(*words, environment={"KASSA_HOME": str(running.folder / "home"), **more})

    return run


async def made(kassa: Kassa, *words: str) -> Any:
    document: Any = (await kassa("invoices", "create", *words, "--json")).document()
    return document["data"]


def facts(ran: Ran) -> dict[str, str]:
    assert ran.status == 0, ran.err
    return dict(line.split(maxsplit=1) for line in ran.out.splitlines()[1:])


async def test_an_invoice_is_made_paid_and_refunded_without_leaving_the_terminal(
    kassa: Kassa, serving_kassa: Serving
) -> None:
    created = await kassa("invoices", "create", "12.50", "usd", "--description", "Two coffees")
    first, *_ = created.out.splitlines()
    assert first.startswith(f"pay at        {serving_kassa.served.gate_url}/hpp/cgi_")
    shown = facts(created)
    assert (shown["mode"], shown["amount"], shown["status"]) == ("test", "12.50 USD", "process_pending")
    paid = await kassa("trigger", "paid", shown["invoice"])
    assert (paid.status, paid.out) == (0, f"{shown['invoice']} is processed, ok.\n"), paid.err
    part = facts(await kassa("invoices", "refund", shown["reference_id"], "--amount", "2.5", "--reference", "r-1"))
    assert part["refund"].split()[1:] == ["2.50", "USD", "refunded"]
    again = await kassa("invoices", "refund", shown["invoice"], "--reference", "r-1")
    assert (again.status, again.err.endswith("has this reference_id already.\n")) == (1, True)
    much = await kassa("invoices", "refund", shown["invoice"], "--amount", "11")
    assert (much.status, much.out, much.err[:7]) == (1, "", "amount:")
    document: Any = (await kassa("invoices", "show", shown["reference_id"], "--json")).document()
    attributes = document["data"]["attributes"]
    assert (attributes["status"], attributes["refunded_amount"]) == ("partially_refunded", 2.5)
    listed: Any = (await kassa("invoices", "list", "--status", "partially_refunded", "--json")).document()
    assert shown["invoice"] in [each["id"] for each in listed]
    table = (await kassa("invoices", "list", "--limit", "100")).out.splitlines()
    assert any(line.startswith(f"{shown['invoice']}  {shown['reference_id']}") for line in table)


async def test_an_invoice_of_another_account_is_found_by_its_id_alone(kassa: Kassa, office: Office) -> None:
    other = await office.account()
    invoice = (await other.create()).data
    by_id: Any = (await kassa("invoices", "show", invoice["id"], "--json")).document()
    assert by_id["data"]["id"] == invoice["id"]
    reference = invoice["attributes"]["reference_id"]
    assert (await kassa("invoices", "show", reference)).status == 1
    named = await kassa("invoices", "show", reference, "-a", other.keys.id, "--json")
    assert named.document() == by_id
    foreign = await kassa("invoices", "show", invoice["id"], "--account", await demo(kassa))
    assert (foreign.status, foreign.err) == (
        1,
        f"There is no invoice {invoice['id']}: kassa invoices list shows the last ones.\n",
    )


async def demo(kassa: Kassa) -> str:
    keys: Any = (await kassa("keys", "show", "--json")).document()
    return str(keys["id"])


@pytest.mark.parametrize(
    "words,told",
    [
        (["invoices", "show", UNKNOWN], f"There is no invoice {UNKNOWN}: kassa invoices list shows the last ones.\n"),
        (["invoices", "show", "order\x1b7"], "There is no invoice with the reference_id order?7: kassa invoices list"),
        (["invoices", "create", "0", "USD"], "amount: This value should be greater than 0"),
        (["invoices", "create", "5", "USD", "--field", "phone"], "phone: This should be NAME=VALUE.\n"),
        (["invoices", "create", "5", "USD", "--live"], "service: "),
        (["invoices", "refund", UNKNOWN], f"There is no invoice {UNKNOWN}: kassa invoices list shows the last ones.\n"),
        (["open", "order-none"], "There is no invoice with the reference_id order-none"),
        (["trigger", "lunch", UNKNOWN], "EVENT: This value should be one of paid, declined, pending, expired,"),
        (["trigger", "paid", UNKNOWN], f"There is no invoice {UNKNOWN}: kassa invoices list shows the last ones.\n"),
    ],
)
async def test_what_cannot_be_is_answered_with_a_sentence(kassa: Kassa, words: list[str], told: str) -> None:
    ran = await kassa(*words)
    assert (ran.status, ran.out, ran.err[: len(told)]) == (1, "", told)


async def test_an_account_without_invoices_lists_none(kassa: Kassa, office: Office) -> None:
    account = (await office.account()).keys.id
    ran = await kassa("invoices", "list", "-a", account)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "There are no invoices yet: kassa invoices create makes one.\n"


async def test_a_taken_reference_makes_no_second_invoice(kassa: Kassa) -> None:
    first = await made(kassa, "5", "USD")
    again = await kassa("invoices", "create", "5", "USD", "--reference", first["attributes"]["reference_id"])
    assert (again.status, again.err) == (1, f"--reference: {first['id']} has this reference_id already.\n")


async def test_a_bank_that_has_not_decided_is_made_to(kassa: Kassa) -> None:
    invoice = await made(kassa, "5", "USD")
    declined = await kassa("trigger", "declined", invoice["id"])
    assert declined.out == (f"{invoice['id']} is process_pending, ok. Attempt 1 was declined: insufficient_funds.\n"), (
        declined.err
    )
    waiting: Any = (await kassa("trigger", "pending", invoice["id"], "--json")).document()
    assert waiting["data"]["attributes"]["status"] == "process_pending"
    twice = await kassa("trigger", "pending", invoice["id"])
    assert (twice.status, twice.err) == (1, "INVOICE: It cannot be paid now: it is process_pending.\n")
    assert (await kassa("trigger", "paid", invoice["id"])).out == f"{invoice['id']} is processed, ok.\n"
    assert (await kassa("trigger", "chargeback", invoice["id"])).out == f"{invoice['id']} is charged_back, ok.\n"
    for event in ("paid", "expired"):
        late = await kassa("trigger", event, invoice["id"])
        assert (late.status, "it is charged_back" in late.err) == (1, True)


async def test_a_wallets_page_is_answered(kassa: Kassa) -> None:
    words = ("5", "USD", "--service", "qiwi_usd_hpp", "--field", "phone=+79161234567")
    for event, status in (("paid", "processed"), ("declined", "process_failed")):
        invoice = await made(kassa, *words)
        ran = await kassa("trigger", event, invoice["id"])
        assert ran.out.startswith(f"{invoice['id']} is {status}"), ran.err
    card = await made(kassa, *words)
    refused = await kassa("trigger", "pending", card["id"])
    assert (refused.status, refused.out) == (1, "")


async def test_a_callback_is_sent_again(kassa: Kassa, office: Office, merchant: Merchant) -> None:
    shop = await office.account(callback_url=merchant.url)
    invoice = (await shop.create()).data
    await merchant.wait_for_count(1)
    assert (await kassa("trigger", "callback", invoice["id"])).status == 0
    first, second = await merchant.wait_for_count(2)
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    silent = (await (await office.account()).create()).data
    none = await kassa("trigger", "callback", silent["id"])
    assert (none.status, none.err[:43]) == (1, "There are no callbacks of this invoice: nei")


async def test_pages_are_opened_and_their_addresses_printed(
    kassa: Kassa, serving_kassa: Serving, tmp_path: Path
) -> None:
    visited = tmp_path / "visited"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {visited}\n')
    browser.chmod(0o700)
    base, bank = serving_kassa.served.base_url, serving_kassa.served.bank_url
    for words, url in (
        ([], f"{base}/"),
        (["shop"], f"{base}/demo/shop"),
        (["docs"], f"{base}/docs"),
        (["bank"], f"{bank}/"),
    ):
        ran = await kassa("open", *words, BROWSER=str(browser))
        assert (ran.status, ran.out, ran.err) == (0, f"{url}\n", "")
    opened = visited.read_text().splitlines()
    assert opened == [f"{base}/", f"{base}/demo/shop", f"{base}/docs", f"{bank}/"]
    created = await kassa("invoices", "create", "5", "USD", "--open", BROWSER=str(browser))
    address = created.out.splitlines()[0].split()[-1]
    assert visited.read_text().splitlines()[-1] == address
    printed = await kassa("open", facts(created)["invoice"], "--print", BROWSER=str(browser))
    assert printed.out == f"{address}\n"
    assert len(visited.read_text().splitlines()) == len(opened) + 1
    nowhere = await kassa("open", "docs", BROWSER="/bin/false")
    assert (nowhere.status, nowhere.out) == (0, f"{base}/docs\n")
    assert nowhere.err == "There is no browser here that could be opened: open the address yourself.\n"


async def test_where_nothing_runs_there_is_nothing_to_open(folder: Path) -> None:
    environment = {"KASSA_HOME": str(folder)}
    ran = await command.run("open", "shop", environment=environment)
    assert (ran.status, ran.err) == (1, f"No Kassa runs on the home {folder}: kassa serve --demo starts one.\n")
    elsewhere = await command.run(
        "open", "docs", "--json", environment={**environment, "KASSA_BASE_URL": "https://pay.example/"}
    )
    assert elsewhere.document() == {"url": "https://pay.example/docs"}


async def test_time_passes_and_the_log_tells_of_it(folder: Path) -> None:
    async with serving.running(folder) as running:
        kassa = runner(running)
        invoice = await made(kassa, "5", "USD")
        expired = await kassa("trigger", "expired", invoice["id"])
        assert expired.out == f"{invoice['id']} is process_failed, expired.\n", expired.err
        of_it = await kassa("logs", "--invoice", invoice["id"], "--json")
        assert of_it.out
        assert all(invoice["id"] in line for line in of_it.out.splitlines())
        errors = await kassa("logs", "--level", "error")
        assert (errors.status, errors.out, errors.err) == (0, "", "No such lines were logged.\n")
        text = (folder / "home" / "kassa.log").read_text()
        assert running.served.account.api_key not in text
        assert (folder / "home" / "kassa.log").stat().st_mode & 0o777 == 0o600
