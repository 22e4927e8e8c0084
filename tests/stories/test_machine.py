"""Payments, refunds, charge-backs and deaths in any order: after each step the books follow from the rows.

At the end of every walk all is decided, and Kassa's books and the bank's agree. ``TESTING_MACHINE_WALKS`` asks for
so many walks by chance, 500 or more, instead of the few that are always the same.
"""

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from kassa import failpoints
from kassa.accounts.model import Account
from kassa.accounts.operations import BANK_MERCHANT_ID
from kassa.cardgate import charge
from kassa.errors import Invalid, NothingToDecide
from kassa.failpoints import Died, Point
from kassa.invoices.operations.refund import send
from kassa.invoices.operations.review import decide, settle
from kassa.invoices.rules.invoice import OPEN, Invoice
from kassa.invoices.tables import payments
from kassa.ledger import operations as books
from kassa.ledger.model import LedgerAccount
from kassa.moderation import operations as moderation
from kassa.moderation.model import AmountRule, Verdict
from tests.support import ledger, oracle, postgres, rates
from tests.support import world as worlds
from tests.support.wire import Fault
from tests.support.world import BAD, GOOD, GOOD_SECURE, World

T = TypeVar("T")

TERMS: Final = {
    "fee_rate": "2.5",
    "fee_fix": "0.50",
    "reserve_rate": "10",
    "reserve_lifetime": "60",
    "refund_fee_fix": "0.54",
    "charge_back_fee_fix": "16.23",
}
LARGE: Final = AmountRule(currency="USD", at_least=15_000)
AMOUNTS: Final = st.sampled_from(["100", "200", "33.33", "10", "0.01"])
PARTS: Final = st.sampled_from([None, 5, 33])
CURRENCIES: Final = st.sampled_from(["USD", "EUR"])
CARDS: Final = {
    "good": (GOOD, "12/30"),
    "bad": (BAD, "12/30"),
    "open": (GOOD, "07/77"),
    "secure": (GOOD_SECURE, "12/30"),
}


def _deaths(points: int, *, least: int = 0) -> st.SearchStrategy[int]:
    """At which of the points on the way; 0: at none."""
    return st.sampled_from(range(least, points + 1))


PAYING: Final = _deaths(6)
WORKING: Final = _deaths(6)
REFUNDING: Final = _deaths(6, least=1)
DECIDING: Final = _deaths(2)
AT_ONCE: Final = _deaths(4)
FAULTS: Final = (None, None, None, Fault.LOSE, Fault.LOSE_ANSWER, Fault.GARBLE)

WALKS: Final = int(os.environ.get("TESTING_MACHINE_WALKS", "0"))
SETTINGS: Final = settings(
    max_examples=WALKS or 60,
    stateful_step_count=25,
    database=None,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
SEED: Final = 8
"""Of the usual walks; another one where a change of the rules lets them miss something of what follows."""
RECIPES: Final = {
    *("processed", "suspended", "approved", "unexpected", "released"),
    *("refund_started", "refund_sent", "refund_failed", "charged_back"),
}
"""What the walks have to have met among them, or they prove little."""


class Walk(RuleBasedStateMachine):
    """One account's life."""

    invoices = Bundle("invoices")

    def __init__(self, runner: asyncio.Runner, world: World, met: set[str], deaths: set[Point]) -> None:
        super().__init__()
        self.runner = runner
        self.world = world
        self.met = met
        self.deaths = deaths
        self.account: Account | None = None
        self.unheard: set[str] = set()

    def run(self, doing: Coroutine[Any, Any, T], death: int = 0) -> T | None:
        """Do something, or die at so many'th point of it."""

        async def done() -> T | None:
            try:
                with failpoints.dying(death):
                    return await doing
            except Died as died:
                self.deaths.add(died.point)
                return None

        return self.runner.run(done())

    @initialize(
        target=invoices,
        late_success=st.sampled_from(["book", "refund"]),
        terms=st.booleans(),
        payer_pays_fee=st.booleans(),
        paid=st.tuples(AMOUNTS, CURRENCIES),
        open_=st.tuples(AMOUNTS, CURRENCIES),
    )
    def open_account(
        self,
        *,
        late_success: str,
        terms: bool,
        payer_pays_fee: bool,
        paid: tuple[str, str],
        open_: tuple[str, str],
    ) -> MultipleResults[Invoice]:
        """Add an account that wants a person to look at large payments; with invoices paid, held and open."""
        self.world.platform.clock.test_offset = timedelta()
        options = {"late_success": late_success, "payer_pays_fee": str(payer_pays_fee).lower()}
        self.account = self.runner.run(self._opened(TERMS if terms else {}, options))
        created = [self._created(*each) for each in (paid, ("200", "USD"), open_)]
        for invoice in created[:2]:
            self.run(self.world.pay(invoice))
        return multiple(*created)

    async def _opened(self, terms: dict[str, str], options: dict[str, str]) -> Account:
        world = self.world
        account = await world.account(**options, callback_url="http://127.0.0.1:9/")
        if terms:
            await world.set_terms(account, **terms)
        await moderation.add_rule(world.platform.pool, account.account_id, LARGE, now=account.created_at, by="ann")
        return account

    @property
    def owner(self) -> Account:
        """The account."""
        assert self.account is not None
        return self.account

    # What merchants, payers, banks and people do -----------------------------------------------------------------

    @rule(target=invoices, amount=AMOUNTS, currency=CURRENCIES)
    def create(self, amount: str, currency: str) -> Invoice:
        """Ask for money, in the service's currency or in another."""
        return self._created(amount, currency)

    def _created(self, amount: str, currency: str) -> Invoice:
        return self.runner.run(self.world.invoice(self.owner, amount=amount, currency=currency))

    @rule(
        invoice=invoices,
        card=st.sampled_from([*CARDS]),
        fault=st.sampled_from([*FAULTS, Fault.HALVE]),
        death=PAYING,
        times=st.sampled_from([1, 1, 2]),
    )
    def pay(self, invoice: Invoice, card: str, fault: Fault | None, death: int, times: int) -> None:
        """Pay with a card, once or at once twice, on a line that may be bad."""
        self.world.wire.fault = fault
        self.run(self._pay(invoice, *CARDS[card], times=times), death)
        self.world.wire.fault = None

    async def _pay(self, invoice: Invoice, card: str, expiry: str, *, times: int) -> None:
        number = (await self.world.view(invoice)).invoice.attempts + 1
        trials = (self.world.pay(invoice, number=number, card=card, expiry=expiry) for _ in range(times))
        for ended in await asyncio.gather(*trials, return_exceptions=True):
            if ended is not None:
                raise ended

    @rule(invoice=invoices)
    def pay_late(self, invoice: Invoice) -> None:
        """Pay with a card that the issuer leaves open until the invoice has expired."""
        self.run(self._pay(invoice, *CARDS["open"], times=1))
        self.world.move_clock(minutes=31)
        self.run(self.world.expire(self.owner))
        self.run(self._at_the_desk(invoice, "", {"decision": "approve"}))

    @rule(invoice=invoices, decision=st.sampled_from(["approve", "approve", "decline"]), death=PAYING)
    def confirm(self, invoice: Invoice, decision: str, death: int) -> None:
        """Press a button on the page for 3-D Secure, and come back."""
        self.run(self._confirm(invoice, decision), death)

    async def _confirm(self, invoice: Invoice, decision: str) -> None:
        session = await self.world.open(invoice)
        if session.payment is not None and session.payment.action is not None:
            await self.world.press(session.payment.action, decision)
            await charge.come_back(self.world.platform, session, {})

    @rule(invoice=invoices, decision=st.sampled_from(["approve", "decline"]))
    def decide_at_the_bank(self, invoice: Invoice, decision: str) -> None:
        """Decide what the issuer left open, if he did; the bank tells nobody."""
        self.run(self._at_the_desk(invoice, "", {"decision": decision}))

    @rule(invoice=invoices, amount=st.sampled_from(["", "0.01", "3.33", "60"]), heard=st.booleans(), death=AT_ONCE)
    def charge_back(self, invoice: Invoice, amount: str, death: int, *, heard: bool) -> None:
        """Let the payer's bank take money back of the latest attempt, if there is as much; Kassa may hear of it."""
        payment_id = self.run(self._at_the_desk(invoice, "/charge-back", {"amount": amount}))
        if payment_id:
            self.unheard.add(payment_id)
        if payment_id and heard:
            self.run(self._hear(payment_id))
            self.run(self.world.ask(self.owner), death)

    async def _at_the_desk(self, invoice: Invoice, path: str, form: dict[str, str]) -> str | None:
        """Do something with an invoice's latest attempt at the bank's desk; return the attempt's id if it was done."""
        payment = (await self.world.view(invoice)).payment
        if payment is None:
            return None
        url = f"{self.world.bank_url}/desk/{BANK_MERCHANT_ID}/{payment.payment_id}{path}"
        async with self.world.session.post(url, data=form, allow_redirects=False) as answer:
            assert answer.status in (303, 404, 409), await answer.text()
            return payment.payment_id if answer.status == 303 else None

    async def _hear(self, payment_id: str) -> None:
        """Do what the bank's notification does: of a charge-back there is one."""
        platform, account_id = self.world.platform, self.owner.account_id
        now, taken = platform.clock.now(test_mode=True), payment_id in self.unheard
        await payments.wake(platform.pool, payment_id, account_id=account_id, now=now, dispute=taken)
        self.unheard.discard(payment_id)

    @rule(invoice=invoices, amount=PARTS)
    def refund(self, invoice: Invoice, amount: int | None) -> None:
        """Send money back, all that is left or an amount; never more than there is."""
        self.run(self._refund(invoice, amount))

    @rule(invoice=invoices, amount=PARTS, fault=st.sampled_from(FAULTS), death=REFUNDING)
    def refund_badly(self, invoice: Invoice, amount: int | None, fault: Fault | None, death: int) -> None:
        """Do so on a line that may be bad, and die of it."""
        self.world.wire.refund_fault = fault
        self.run(self._refund(invoice, amount), death)
        self.world.wire.refund_fault = None

    async def _refund(self, invoice: Invoice, amount: int | None) -> None:
        before = await self.world.view(invoice)
        left = (before.invoice.processed_amount or 0) - before.charged_back_amount
        left -= sum(each.counted for each in before.requested if each.status != "refund_failed")
        try:
            begun = await self.world.begin_refund(invoice, amount)
        except Invalid:
            assert await self.world.view(invoice) == before
            return
        assert begun.amount == (left if amount is None else 100 * amount) <= left
        await send(self.world.platform, begun)

    @rule(
        invoice=invoices,
        verdict=st.sampled_from([Verdict.APPROVED, Verdict.APPROVED, Verdict.REJECTED]),
        death=DECIDING,
    )
    def moderate(self, invoice: Invoice, verdict: Verdict, death: int) -> None:
        """Approve or reject what is held, if it is."""
        self.run(self._moderate(invoice, verdict), death)

    async def _moderate(self, invoice: Invoice, verdict: Verdict) -> None:
        held = (await self.world.view(invoice)).invoice.status == "process_error"
        try:
            await decide(self.world.platform, self.owner, invoice.invoice_id, verdict, by="operator Ann")
        except NothingToDecide:
            assert not held
        else:
            assert held

    async def _settle(self, invoice_id: str) -> None:
        with contextlib.suppress(NothingToDecide):
            await settle(self.world.platform, self.owner, invoice_id, by="operator Ann", note="so be it")

    # What time and the worker do ---------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from([1, 5, 31, 61, 3_000]))
    def wait(self, minutes: int) -> None:
        """Let time pass."""
        self.world.move_clock(minutes=minutes)

    @rule(minutes=st.sampled_from([0, 1, 5, 31, 61]), death=WORKING)
    def work(self, minutes: int, death: int) -> None:
        """Let time pass and do what is due then, as the worker does."""
        self.world.move_clock(minutes=minutes)
        self.run(self._work(), death)

    async def _work(self) -> int:
        jobs = (self.world.ask, self.world.ask_about_refunds, self.world.expire)
        done = sum([await job(self.owner) for job in jobs])
        await books.number(self.world.platform.pool, account_id=self.owner.account_id, test_mode=True)
        return done

    # What holds --------------------------------------------------------------------------------------------------

    @invariant()
    def the_books_follow_from_the_rows(self) -> None:
        """Hold the rows against the books."""
        self.run(oracle.check(self.world, self.owner))

    def teardown(self) -> None:
        """Let all be decided; then the books are the bank's."""
        if self.account is not None:
            self.run(self._end())

    async def _end(self) -> None:
        world, account = self.world, self.owner
        for round_ in range(3):
            rows = await oracle.read(world, account)
            for payment in rows.payments:
                await self._decide(payment["payment_id"])
                await self._hear(payment["payment_id"])
            await self._quiet(days=round_)
            for invoice in rows.invoices:
                await self._settle(invoice["invoice_id"])
        await ledger.number(world.platform.pool, account.account_id)
        assert not (await ledger.verified(world.platform.pool, account.account_id)).problems
        rows = await oracle.check(world, account)
        assert not [each for each in rows.payments if each["status"] in oracle.WAITING]
        assert not [each for each in rows.refunds if each["status"] == "refund_pending"]
        assert not [each for each in rows.invoices if each["reserve_left"] or each["status"] in OPEN]
        found = await ledger.balances(world.platform.pool, account.account_id)
        booked = {
            code: minor
            for (ledger_account, code), minor in found.items()
            if ledger_account is LedgerAccount.PROVIDER and minor
        }
        assert booked == await oracle.at_bank(world, rows)
        self.met |= await oracle.recipes(world, account)

    async def _decide(self, payment_id: str) -> None:
        url = f"{self.world.bank_url}/desk/{BANK_MERCHANT_ID}/{payment_id}"
        async with self.world.session.post(url, data={"decision": "approve"}, allow_redirects=False) as answer:
            assert answer.status in (303, 404, 409), await answer.text()

    async def _quiet(self, *, days: int) -> None:
        """Let time pass until nothing is due."""
        self.world.move_clock(days=days)
        for _ in range(12):
            self.world.move_clock(minutes=6)
            while await self._work():
                pass


def test_walks_end_with_books_that_agree(postgres_url: str, folder: Path) -> None:
    met, deaths = set[str](), set[Point]()
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        opened = contextlib.AsyncExitStack()
        stack.callback(lambda: runner.run(opened.aclose()))
        database = runner.run(opened.enter_async_context(postgres.database(postgres_url)))
        world = runner.run(opened.enter_async_context(worlds.opened(database, folder)))
        runner.run(rates.counting(world.platform, "EUR", "USD", "1.082"))

        class Here(Walk):
            def __init__(self) -> None:
                super().__init__(runner, world, met, deaths)

        run_state_machine_as_test(Here if WALKS else seed(SEED)(Here), settings=SETTINGS)
    assert met >= RECIPES, RECIPES - met
    assert deaths == {*Point}, {*Point} - deaths
