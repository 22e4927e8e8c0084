"""One run: a storm of payers, merchants, faults and deaths from one seed, then a calm in which everything must end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from kassa.accounts.model import Account
from kassa.invoices.rules import invoice as model
from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.invoices.rules.records import DisputeStatus
from kassa.ledger.model import LedgerAccount
from kassa.providers.protocol import Dispute
from tests.simulation.bank import Bank
from tests.simulation.gateway import UNSETTLED, Gateway
from tests.simulation.process import Endpoint
from tests.simulation.scheduler import START, Call, Faults, Scheduler, Steps, Wait
from tests.simulation.store import Broken, Store

INVOICES: Final = 8
STORM: Final = timedelta(hours=3)
CALM: Final = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run came to."""

    seed: int
    events: int
    deaths: int
    refused: int
    """How many changes came second and were decided again."""
    kinds: frozenset[str]
    """What has happened to invoices, as their events say."""
    statuses: tuple[str, ...]
    """How the invoices ended, which with the rest tells two runs apart."""
    provider: int
    """What the provider holds by the books, in minor units."""


def simulate(seed: int) -> Run:
    """Run one seed. Raises ``Broken`` where a law does not hold; the same seed then does so again."""
    faults = Faults(lost=0.08, unheard=0.08, crash=0.01)
    scheduler = Scheduler(seed=seed, faults=faults)
    store, bank = Store(), Bank(scheduler=scheduler)
    endpoint = Endpoint(scheduler=scheduler, deaf=0.3)
    shop = account(late_success=scheduler.dice.choice(("book", "refund")))
    gateway = Gateway(scheduler=scheduler, store=store, bank=bank, endpoint=endpoint, account=shop, slowness=0.5)
    bank.notify = gateway.hear
    people = People(gateway)
    for number in range(INVOICES):
        scheduler.after(scheduler.dice.uniform(0, 3600), partial(people.order, f"cpi-{number}"))
    gateway.live()
    scheduler.run(START + STORM)
    faults.lost = faults.unheard = faults.crash = endpoint.deaf = 0.0
    people.calm = True
    scheduler.run(START + STORM + CALM)
    _at_rest(gateway)
    return Run(
        seed=seed,
        events=scheduler.events,
        deaths=scheduler.deaths,
        refused=store.refused,
        kinds=frozenset(event.kind for event in store.events.values()),
        statuses=tuple(invoice.status for invoice in store.invoices.values()),
        provider=store.balance(LedgerAccount.PROVIDER),
    )


class People:
    """Payers, merchants, and whoever decides on held money: impatient, forgetful, and clicking twice."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._scheduler = gateway.scheduler
        self.calm = False
        """Whether nobody begins anything new any more."""

    def order(self, invoice_id: str) -> None:
        """A merchant creates an invoice, and its payer comes by."""
        self._gateway.store.create(_drawn(invoice_id, self._scheduler))
        self._scheduler.after(self._scheduler.dice.uniform(1, 300), lambda: self._come(invoice_id))
        self._scheduler.after(self._scheduler.dice.uniform(600, 9000), lambda: self._give_back(invoice_id))
        self._scheduler.after(self._scheduler.dice.uniform(600, 9000), lambda: self._dispute(invoice_id))
        self._scheduler.after(self._scheduler.dice.uniform(600, 9000), lambda: self._review(invoice_id))

    def _come(self, invoice_id: str) -> None:
        """The payer looks at their page, and does what it asks for."""
        dice, gateway = self._scheduler.dice, self._gateway
        invoice = gateway.store.invoices[invoice_id]
        if invoice.status not in model.OPEN:
            return
        payment = gateway.store.payments.get(invoice.payment_id or "")
        if payment is not None and payment.action is not None and payment.live and dice.random() < 0.8:
            self._scheduler.start(self._visit(payment.payment_id))
            if dice.random() < 0.3:
                self._scheduler.start(gateway.cancel(payment))
        elif payment is None or not payment.live:
            for _ in range(dice.choice((1, 1, 1, 2, 3))):
                self._scheduler.start(gateway.pay(invoice_id, invoice.attempts + 1))
        self._scheduler.after(dice.uniform(20, 600), lambda: self._come(invoice_id))

    def _visit(self, payment_id: str) -> Steps:
        """The payer confirms at the bank, or goes away, and comes back or does not."""
        yield Wait(seconds=self._scheduler.dice.uniform(1, 60))
        yield Call(ask=lambda: self._gateway.bank.decide(payment_id), patience=10.0)
        if self._scheduler.chance(0.7):
            payment = self._gateway.store.payments[payment_id]
            if payment.status is PaymentStatus.PROCESS_PENDING:
                yield from self._gateway.poll(payment)

    def _give_back(self, invoice_id: str) -> None:
        dice, gateway = self._scheduler.dice, self._gateway
        invoice = gateway.store.invoices[invoice_id]
        if self.calm or not invoice.processed_amount:
            return
        for number in range(dice.randint(0, 4)):
            amount = dice.randint(1, invoice.processed_amount)
            self._scheduler.start(gateway.refund(invoice_id, f"{invoice_id}-{number}", amount))

    def _dispute(self, invoice_id: str) -> None:
        """The payer's bank takes back money of any attempt, whatever Kassa knows of it, and may do so again."""
        bank, store = self._gateway.bank, self._gateway.store
        there = [each for each in bank.purchases if store.payments[each].invoice_id == invoice_id]
        if self.calm or not there or not self._scheduler.chance(0.5):
            return
        bank.dispute(self._scheduler.dice.choice(there))
        self._scheduler.after(self._scheduler.dice.uniform(1, 3600), lambda: self._dispute(invoice_id))

    def _review(self, invoice_id: str) -> None:
        """A person looks after what is held or flagged, every hour or two."""
        gateway, scheduler = self._gateway, self._scheduler
        invoice = gateway.store.invoices[invoice_id]
        if invoice.status is Status.PROCESS_ERROR:
            for _ in range(scheduler.dice.choice((1, 1, 2))):
                scheduler.start(gateway.review(invoice_id, approve=scheduler.chance(0.5)))
        elif invoice.moderation_required and scheduler.chance(0.3):
            scheduler.start(gateway.send_again(invoice_id))
        if scheduler.now < START + STORM + CALM - timedelta(days=2):
            scheduler.after(scheduler.dice.uniform(3600, 7200), lambda: self._review(invoice_id))


def _at_rest(gateway: Gateway) -> None:
    """Nothing is left to do, the books agree with the bank's, and the merchant knows."""
    store, bank = gateway.store, gateway.bank
    for invoice in store.invoices.values():
        _ended(gateway, invoice)
        _written_down(store, invoice)
    waiting = [payment.payment_id for payment in store.payments.values() if payment.status in UNSETTLED]
    waiting += [refund.refund_id for refund in store.refunds.values() if refund.pending]
    waiting += [f"a callback of {callback.invoice_id}" for callback in store.callbacks if callback.due_at]
    if waiting:
        raise Broken(f"{', '.join(waiting)} waits for ever")
    twice = [payment_id for payment_id, purchase in bank.purchases.items() if purchase.asked > 1]
    if twice:
        raise Broken(f"{', '.join(twice)} was asked for more than once (P1)")
    for payment_id, purchase in bank.purchases.items():
        _disputed(store, payment_id, purchase.disputes)
    kept = sum(purchase.kept for purchase in bank.purchases.values())
    if store.balance(LedgerAccount.PROVIDER) != kept:
        raise Broken(f"the bank keeps {kept}, the books say {store.balance(LedgerAccount.PROVIDER)} (P2)")


def _ended(gateway: Gateway, invoice: Invoice) -> None:
    if invoice.status in model.OPEN:
        raise Broken(f"{invoice.invoice_id} is {invoice.status} for ever")
    if invoice.release_at is not None and invoice.release_at < gateway.now:
        raise Broken(f"{invoice.invoice_id} keeps its reserve")
    if invoice.final and invoice.status not in gateway.endpoint.heard.get(invoice.invoice_id, set()):
        raise Broken(f"no one has heard that {invoice.invoice_id} is {invoice.status} (P7)")


def _written_down(store: Store, invoice: Invoice) -> None:
    """Each change has one event, without gaps."""
    versions = [version for invoice_id, version in store.events if invoice_id == invoice.invoice_id]
    if versions != list(range(1, invoice.version + 1)):
        raise Broken(f"{invoice.invoice_id} is at version {invoice.version}, its events at {versions}")


def _disputed(store: Store, payment_id: str, told: list[Dispute]) -> None:
    """Each dispute is known by its place, has ended as the bank says, and is in the books if it cost anything."""
    known = sorted(
        (each for each in store.disputes.values() if each.payment_id == payment_id), key=lambda each: each.position
    )
    if [each.status for each in known] != [DisputeStatus(each.status) for each in told]:
        raise Broken(f"{payment_id} was disputed: the bank says {told}, we say {known}")
    missing = [each.dispute_id for each in known if each.counts and not each.booked]
    if missing:
        raise Broken(f"{', '.join(missing)} cost money and is not in the books (P2)")


def account(*, late_success: str) -> Account:
    """Return an account."""
    return Account(
        account_id="coma_1",
        tag="Acct",
        name="Shop",
        currency="USD",
        external_mid="org_1",
        late_success=late_success,  # type: ignore[arg-type]
        created_at=START,
    )


def _drawn(invoice_id: str, scheduler: Scheduler) -> Invoice:
    amount = scheduler.dice.randint(2, 100_000)
    fee = min(amount, scheduler.dice.randint(0, 300))
    return invoice(invoice_id, scheduler.now, amount=amount, fee=fee, reserve_rate=scheduler.dice.choice((0, 10, 100)))


def invoice(invoice_id: str, now: datetime, *, amount: int, fee: int, reserve_rate: int) -> Invoice:
    """Return an invoice that waits for its payer."""
    return Invoice(
        account_id="coma_1",
        invoice_id=invoice_id,
        test_mode=True,
        reference_id=invoice_id,
        source="merchant_api",
        status=Status.PROCESS_PENDING,
        resolution="ok",
        service="payment_card_usd_hpp",
        service_method="payment_card",
        service_flow="hpp",
        service_currency="USD",
        payment_flow="charge",
        currency="USD",
        amount=amount,
        payment_amount=amount,
        fee=fee,
        deposit=amount - fee,
        reserve_rate=Decimal(reserve_rate),
        reserve_lifetime=90,
        session_id=f"cgi-{invoice_id}",
        attempts_max=3,
        created_at=now,
        updated_at=now,
        expires_at=now + timedelta(minutes=30),
        due_at=now + timedelta(minutes=30),
    )
