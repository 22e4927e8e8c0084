"""Our entries and the lines of a statement, written by hand on both sides: which belong together, and which do not."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from kassa.accounts.model import Account
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.ledger import operations as books
from kassa.ledger import recipes
from kassa.ledger.model import Entry, LedgerAccount, Transfer
from kassa.providers.protocol import Movement, Statement, StatementLine
from kassa.reconciliation.comparing import Result
from tests.support import ledger
from tests.support.reconciling import LATER, Telling, compare, compare_later, found, now, with_provider
from tests.support.world import World

MADE_UP = "pay_0000000000000000"


class Shop:
    """An account with one payment of 100 dollars, and a bank that shows what it is told to."""

    def __init__(self, world: World, account: Account, invoice: Invoice, payment: Payment) -> None:
        self.world = world
        self.account = account
        self.invoice = invoice
        self.payment = payment
        self.names: dict[str, Any] = {
            "payment_id": payment.payment_id,
            "invoice_id": invoice.invoice_id,
            "currency": "USD",
        }
        self.lines = [self.line("purchase", payment.payment_id, 10_000, external_id=payment.external_id or "")]

    def line(self, movement: Movement, ref: str, amount: int, **changes: Any) -> StatementLine:
        """Return a line about the payment, booked at this moment."""
        values = {"external_id": f"{movement} {ref}", "currency": "USD", "booked_at": now(self.world), **changes}
        return StatementLine(movement=movement, ref=ref, payment_id=self.payment.payment_id, amount=amount, **values)

    def shows(self, movement: Movement, ref: str, amount: int, **changes: Any) -> None:
        """Let the bank show one more line about the payment."""
        self.lines.append(self.line(movement, ref, amount, **changes))

    async def books(self, entry: Entry) -> None:
        """Book a fact as the application does."""
        account_id = self.account.account_id
        await books.post(self.world.platform.pool, entry, account_id=account_id, test_mode=True, now=now(self.world))

    async def charged_back(self, total: int, amount: int, **names: Any) -> None:
        """Book a chargeback."""
        at_provider = (amount, "USD")
        moved: dict[str, Any] = {"total": total, "amount": amount, "fee": 0, "reserve": 0, "at_provider": at_provider}
        await self.books(recipes.charged_back(**self.names, **moved, **names))

    async def compared(self) -> Result:
        """Compare the books with what the bank shows, a while later."""
        self.world.platform.clock.test_offset += LATER
        told = Statement(lines=tuple(self.lines), next=None)
        platform = with_provider(self.world, Telling(self.world, lambda _: told))
        return await compare(self.world, self.account, platform=platform)

    async def discrepancies(self) -> set[tuple[str, str, str]]:
        """Return the open ones: kind, movement and ref without the payment's id."""
        return {
            (each.kind, each.movement, each.ref.removeprefix(f"{self.payment.payment_id}:"))
            for each in await found(self.world, self.account)
        }


@pytest.fixture
async def shop(world: World) -> Shop:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    return Shop(world, account, invoice, payment)


@pytest.mark.parametrize(
    "booked, shown, differ",
    [
        ([30], [(30, 30)], set()),
        ([50], [(50, 20)], set()),
        ([50], [(30, 30), (50, 20)], set()),
        ([30, 50], [(50, 50)], {("missing_there", "30")}),
        ([30, 50], [(50, 20)], {("missing_there", "30")}),
        ([50], [(30, 30)], {("amount", "30")}),
        ([50], [(20, 20), (30, 10)], {("amount", "30")}),
        ([30, 80], [(50, 20)], {("missing_there", "30"), ("amount", "50")}),
        ([30], [(35, 35)], {("amount", "35")}),
        ([30], [(50, 20)], {("missing_there", "30"), ("status", "50")}),
        ([], [(30, 30)], {("status", "30")}),
        ([30], [], {("missing_there", "30")}),
    ],
)
async def test_chargebacks_agree_where_an_entry_ends_with_a_line(
    shop: Shop, booked: list[int], shown: list[tuple[int, int]], differ: set[tuple[str, str]]
) -> None:
    before = 0
    for total in booked:
        await shop.charged_back(total, total - before)
        before = total
    for total, amount in shown:
        shop.shows("charge_back", f"{shop.payment.payment_id}:{total}", amount)
    result = await shop.compared()
    assert await shop.discrepancies() == {(kind, "charge_back", ref) for kind, ref in differ}
    assert (result.lines, result.entries) == (1 + len(shown), 1 + len(booked))


async def test_a_dispute_that_is_won_is_on_both_books(shop: Shop) -> None:
    ref = f"{shop.payment.payment_id}:3000"
    await shop.charged_back(3_000, 3_000, dispute_id="dsp_1")
    shop.shows("charge_back", ref, 3_000)
    shop.shows("chargeback_reversal", ref, 3_000)
    result = await shop.compared()
    assert (result.kinds, result.asked) == ({"status": 1}, 1)
    assert await shop.discrepancies() == {("status", "chargeback_reversal", "3000")}
    moved: dict[str, Any] = {"total": 3_000, "amount": 3_000, "fee": 0, "reserve": 0, "at_provider": (3_000, "USD")}
    await shop.books(recipes.dispute_won(**shop.names, **moved, dispute_id="dsp_1"))
    result = await shop.compared()
    assert (result.kinds, result.closed, result.open) == ({}, 1, 0)
    del shop.lines[-1]
    await shop.compared()
    assert await shop.discrepancies() == {("missing_there", "chargeback_reversal", "3000")}


async def test_a_refund_that_failed_after_it_was_sent_is_on_both_books(shop: Shop) -> None:
    refunds = (await shop.world.refund((await shop.world.view(shop.invoice)).invoice, 40)).refunds
    refund_id = refunds[0].refund_id
    shop.shows("refund", refund_id, 4_000, external_id=refunds[0].external_id)
    assert (await shop.compared()).kinds == {}
    shop.shows("refund_reversal", refund_id, 4_000)
    assert (await shop.compared()).kinds == {"status": 1}
    assert await shop.discrepancies() == {("status", "refund_reversal", refund_id)}
    moved: dict[str, Any] = {"amount": 4_000, "fee": 0, "reserve": 0, "pending": 0, "at_provider": (4_000, "USD")}
    await shop.books(recipes.refund_failed_after_success(**shop.names, **moved, refund_id=refund_id))
    result = await shop.compared()
    assert (result.kinds, result.lines, result.entries, result.open) == ({}, 3, 3, 0)


def invented(shop: Shop, **changes: Any) -> Entry:
    """Return an entry that no payment has made."""
    values: dict[str, Any] = {
        "entry_id": "processed:invented",
        "recipe": "processed",
        "invoice_id": None,
        "payment_id": MADE_UP,
        "transfers": (
            Transfer(debit=LedgerAccount.PROVIDER, credit=LedgerAccount.ACTIVE, amount=1_000_000, currency="USD"),
        ),
    }
    return Entry(**{**values, **changes})


@pytest.mark.parametrize(
    "changes, named",
    [
        ({}, ("purchase", MADE_UP)),
        ({"payment_id": None}, ("purchase", "processed:invented")),
        ({"recipe": "gift", "entry_id": "gift:1"}, ("purchase", "gift:1")),
        ({"recipe": "gift", "entry_id": "gift:1", "payment_id": None}, ("purchase", "gift:1")),
        ({"recipe": "refund_sent", "refund_id": "ref_1"}, ("refund", "ref_1")),
        ({"recipe": "charged_back", "charged_back_total": 7}, ("charge_back", f"{MADE_UP}:7")),
    ],
)
async def test_an_entry_that_is_about_no_payment_is_told(
    shop: Shop, changes: dict[str, Any], named: tuple[str, str]
) -> None:
    await shop.books(invented(shop, **changes))
    result = await shop.compared()
    assert (result.kinds, result.entries, result.open) == ({"missing_there": 1}, 2, 1)
    (seen,) = await found(shop.world, shop.account)
    assert (seen.movement, seen.ref) == named
    assert not (await ledger.verified(shop.world.platform.pool, shop.account.account_id)).problems


@pytest.mark.parametrize("of_its_invoice", [True, False])
async def test_an_entry_that_is_slipped_under_a_real_payment_is_told_though_its_purchase_was_long_ago(
    shop: Shop, *, of_its_invoice: bool
) -> None:
    shop.world.move_clock(days=20)
    invoice_id = shop.names["invoice_id"] if of_its_invoice else None
    await shop.books(invented(shop, payment_id=shop.payment.payment_id, invoice_id=invoice_id))
    assert (await shop.compared()).kinds == {"amount": 1}
    (seen,) = await found(shop.world, shop.account)
    assert (seen.movement, seen.ref) == ("purchase", shop.payment.payment_id)


async def test_a_statement_that_is_read_twice_is_kept_once_and_forgotten_when_no_one_compares_it(world: World) -> None:
    account = await world.account()
    pool = world.platform.pool

    async def kept() -> list[tuple[str, int]]:
        rows = await pool.fetch(
            "SELECT ref, seen_run FROM provider_statement_lines WHERE account_id = $1 ORDER BY booked_at",
            account.account_id,
        )
        return [(row["ref"], row["seen_run"]) for row in rows]

    async def paid() -> str:
        invoice = await world.invoice(account)
        await world.pay(invoice)
        return (await world.view(invoice)).invoice.payment_id or ""

    first, second = await paid(), await paid()
    await compare_later(world, account)
    await compare(world, account)
    assert await kept() == [(first, 2), (second, 2)]
    world.move_clock(days=8)
    third = await paid()
    await compare_later(world, account)
    assert await kept() == [(first, 2), (second, 2), (third, 3)], "another comparison may be under way"
    await pool.execute(
        "UPDATE provider_statement_lines SET seen_at = seen_at - interval '8 days' WHERE ref = ANY($1::text[])",
        [first, third],
    )
    await compare(world, account)
    assert await kept() == [(second, 2), (third, 4)]


async def test_a_line_that_another_run_reads_meanwhile_still_counts(shop: Shop) -> None:
    world, since = shop.world, now(shop.world) - timedelta(hours=6)
    world.platform.clock.test_offset += LATER
    told = Statement(lines=tuple(shop.lines), next=None)
    inner = with_provider(world, Telling(world, lambda _: told))

    class Slow(Telling):
        """While the outer run reads its second page, another run begins and ends."""

        async def statement(self, credentials: Any, since: datetime, until: datetime, after: str | None) -> Statement:
            if after is None:
                return Statement(lines=told.lines, next="more")
            assert (await compare(world, shop.account, since=since, platform=inner)).kinds == {}
            return Statement(lines=(), next=None)

    outer = with_provider(world, Slow(world, lambda _: told))
    result = await compare(world, shop.account, since=since, platform=outer)
    assert (result.kinds, result.lines, result.entries) == ({}, 1, 1)
