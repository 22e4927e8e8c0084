"""Approving and rejecting over HTTP, as a merchant's server does, and what payer and merchant see of it."""

import asyncio
import html
import uuid

import pytest

from kassa.moderation import operations as moderation
from kassa.moderation.model import AmountRule
from tests.support import blocking, books, ledger
from tests.support.api import INVOICES, Answer, Client, error_body
from tests.support.lists import listed, names
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.visitor import Page, Visitor
from tests.support.waiting import until
from tests.support.world import GOOD

NOTHING = "Nothing about this invoice waits for a decision."


async def moderated(office: Office, **options: str) -> Client:
    """Add an account that may decide by its API key, and whose payments from 50.00 on are held."""
    shop = await office.account(**{"moderation_by_api": "true", **options})
    rule = AmountRule(currency="USD", at_least=5_000)
    await moderation.add_rule(office.pool, shop.keys.id, rule, now=office.clock.real(), by="ann")
    return shop


async def held(shop: Client, payer: Visitor, **asked: str) -> tuple[str, Page]:
    """Pay an invoice that is held; return its id and what the payer sees."""
    created = await shop.create(**asked)
    form = await payer.open(created.attributes["flow_data"]["action"])
    page = await payer.press(form, card_number=GOOD, expiry="12/30", cvc="123")
    return created.data["id"], page


async def post(shop: Client, invoice_id: str, verb: str, body: object = None, *, key: str | None = None) -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    return await shop.call("POST", f"{INVOICES}/{invoice_id}/{verb}", json_body=body, headers=headers)


def noted(note: object) -> dict[str, object]:
    return {"data": {"type": "decisions", "attributes": {"note": note}}}


async def test_a_held_payment_is_approved(office: Office, merchant: Merchant, payer: Visitor) -> None:
    shop = await moderated(office, callback_url=merchant.url)
    invoice_id, page = await held(shop, payer)
    assert page.heading == "The payment is being checked"
    shown = (await shop.read(invoice_id)).attributes
    assert (shown["status"], shown["resolution"]) == ("process_error", "limit_violation")
    assert (shown["moderation_required"], shown["processed_amount"], shown["processed"]) == (True, None, None)
    answer = await post(shop, invoice_id, "approve", noted("known customer"))
    after = answer.attributes
    assert (after["status"], after["resolution"], after["moderation_required"]) == ("processed", "ok", False)
    assert (after["processed_amount"], after["processed_deposit"]) == (100, 100)
    told = await merchant.told(3)
    assert [(each["status"], each["moderation_required"]) for each in told] == [
        ("process_pending", False),
        ("process_error", True),
        ("processed", False),
    ]
    again = await post(shop, invoice_id, "approve")
    assert (again.status, again.document["errors"]) == (
        409,
        error_body(409, "Conflict", title="Conflict", detail=NOTHING)["errors"],
    )
    assert again.document["data"]["attributes"]["status"] == "processed"
    assert await books.proven(office)


async def test_a_held_payment_is_rejected_and_the_payer_is_told(
    office: Office, merchant: Merchant, payer: Visitor, served: Served
) -> None:
    shop = await moderated(office, callback_url=merchant.url)
    invoice_id, _ = await held(shop, payer)
    after = (await post(shop, invoice_id, "reject")).attributes
    assert (after["status"], after["resolution"]) == ("process_failed", "customer_blocked")
    assert [each["status"] for each in await merchant.told(3)][-1] == "process_failed"

    async def refunded() -> bool:
        return bool((await shop.read(invoice_id)).attributes["refunded_amount"] == 100)

    await until(refunded, what="the refund")
    for language, words in (
        ("en", "The shop didn't accept this payment. Your money is on its way back to you."),
        ("ru", "Магазин не принял этот платёж. Деньги вернутся к вам."),
        ("uk", "Магазин не прийняв цей платіж. Гроші повернуться до вас."),
    ):
        page = await payer.open(f"{served.base_url}/hpp/result/{invoice_id}?lang={language}")
        assert words in html.unescape(page.text)
    lines = await books.taken_for(office, served.bank_url or "", invoice_id)
    assert [(line["kind"], line["amount"]) for line in lines] == [("PURCHASE", 10_000), ("REFUND", 10_000)]
    await ledger.number(office.pool, shop.keys.id)
    assert set((await ledger.balances(office.pool, shop.keys.id)).values()) == {0}
    assert await books.proven(office)


async def test_what_waits_is_listed(office: Office, payer: Visitor) -> None:
    shop = await moderated(office)
    await shop.create(reference_id="fresh", amount=10)
    await held(shop, payer, reference_id="held")
    assert names(await listed(shop, "filter[moderation_required]=true")) == ["held"]
    assert names(await listed(shop, "filter[moderation_required]=false")) == ["fresh"]
    assert (await listed(shop, "filter[moderation_required]=maybe")).status == 400


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_without_the_option_the_api_key_decides_nothing(office: Office, payer: Visitor, verb: str) -> None:
    shop = await moderated(office, moderation_by_api="false")
    invoice_id, _ = await held(shop, payer)
    before = (await shop.read(invoice_id)).data
    answer = await post(shop, invoice_id, verb)
    assert (answer.status, answer.document["errors"][0]["detail"]) == (
        403,
        "Only the operator reviews this account's payments.",
    )
    assert (await shop.read(invoice_id)).data == before


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_nobody_decides_on_what_is_not_his_or_without_a_key(office: Office, payer: Visitor, verb: str) -> None:
    shop, stranger = await moderated(office), await moderated(office)
    invoice_id, _ = await held(shop, payer)
    before = (await shop.read(invoice_id)).data
    for unknown in (invoice_id, f"cpi_{invoice_id[4:8]}000000000000", "x"):
        assert (await post(stranger, unknown, verb)).status == 404
    path = f"{INVOICES}/{invoice_id}/{verb}"
    assert (await shop.call("POST", path, anonymous=True)).status == 401
    assert (await shop.call("GET", path)).status == 405
    assert (await shop.read(invoice_id)).data == before


@pytest.mark.parametrize(
    "body, status, wrong",
    [
        (noted("x" * 2001), 422, {"note"}),
        (noted("a\x00b"), 422, {"note"}),
        (noted(["x"]), 422, {"note"}),
        ({"data": {"type": "refund", "attributes": {}}}, 422, {"type"}),
        ({"data": {"type": "decisions"}}, 400, set()),
        ([], 400, set()),
        ("approve", 400, set()),
    ],
)
async def test_a_body_that_cannot_be_decides_nothing(
    office: Office, payer: Visitor, body: object, status: int, wrong: set[str]
) -> None:
    shop = await moderated(office)
    invoice_id, _ = await held(shop, payer)
    answer = await post(shop, invoice_id, "approve", body)
    assert answer.status == status
    assert status != 422 or set(answer.errors) == wrong
    assert (await shop.read(invoice_id)).attributes["status"] == "process_error"


async def test_of_requests_at_once_one_decides_and_the_others_get_the_invoice(office: Office, payer: Visitor) -> None:
    shop = await moderated(office)
    invoice_id, _ = await held(shop, payer)
    answers = await asyncio.gather(*(post(shop, invoice_id, verb) for verb in ["approve", "reject"] * 4))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    status = (await shop.read(invoice_id)).attributes["status"]
    shown = {(answer.document["data"]["id"], answer.document["data"]["attributes"]["status"]) for answer in answers}
    assert shown == {(invoice_id, status)}


async def test_a_repeat_of_a_key_gets_the_first_answer(office: Office, payer: Visitor) -> None:
    shop, key = await moderated(office), str(uuid.uuid4())
    invoice_id, _ = await held(shop, payer)
    first = await post(shop, invoice_id, "approve", key=key)
    again = await post(shop, invoice_id, "approve", key=key)
    assert (first.status, again.status, again.text) == (200, 200, first.text)
    assert (await post(shop, invoice_id, "reject", key=key)).status == 422


async def test_a_decision_whose_answer_was_lost_is_known_to_the_repeat_as_its_own(
    office: Office, payer: Visitor
) -> None:
    shop, key = await moderated(office), str(uuid.uuid4())
    invoice_id, _ = await held(shop, payer)
    async with blocking.refused(office, "UPDATE", "idempotency_keys", shop.keys.id, "57P03"):
        first = await post(shop, invoice_id, "approve", key=key)
    assert first.status == 200
    await office.owner.execute(
        "UPDATE idempotency_keys SET leased_until = leased_until - interval '61 seconds' WHERE account_id = $1",
        shop.keys.id,
    )
    resumed = await post(shop, invoice_id, "approve", key=key)
    assert (resumed.status, resumed.attributes["status"]) == (200, "processed")
