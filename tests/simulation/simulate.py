"""One run: a storm of payers, merchants, faults and deaths from one seed, then a calm in which everything must end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from kassa.accounts.model import Account
from kassa.invoices import model
from kassa.invoices.model import Invoice, Status
from kassa.ledger.model import Purse
from kassa.payments.model import PaymentStatus
from tests.simulation.bank import Bank
from tests.simulation.gateway import UNSETTLED, Endpoint, Gateway
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
    statuses: tuple[str, ...]
    """How the invoices ended, which with the rest tells two runs apart."""
    provider: int
    """The provider's purse, in minor units."""


def simulate(seed: int) -> Run:
    """Run one seed. Raises ``Broken`` where a law does not hold; the same seed then does so again."""
    faults = Faults(lost=0.08, unheard=0.08, crash=0.01)
    scheduler = Scheduler(seed=seed, faults=faults)
    store, bank = Store(), Bank(scheduler=scheduler)
    endpoint = Endpoint(scheduler=scheduler, deaf=0.3)
    shop = account(late_success=scheduler.dice.choice(("book", "refund")))
    gateway = Gateway(scheduler=scheduler, store=store, bank=bank, endpoint=endpoint, account=shop)
    bank.notify = gateway.hear
    people = People(gateway)
    for number in range(INVOICES):
        scheduler.after(scheduler.dice.uniform(0, 3600), lambda number=number: people.order(f"cpi-{number}"))  # type: ignore[misc]
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
        statuses=tuple(invoice.status for invoice in store.invoices.values()),
        provider=store.balance(Purse.PROVIDER),
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
        self._scheduler.after(self._scheduler.dice.uniform(600, 9000), lambda: self._decide(invoice_id))

    def _come(self, invoice_id: str) -> None:
        """The payer looks at his page, and does what it asks for."""
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
                yield from self._gateway.ask(payment)

    def _give_back(self, invoice_id: str) -> None:
        dice, gateway = self._scheduler.dice, self._gateway
        invoice = gateway.store.invoices[invoice_id]
        if self.calm or not invoice.processed_amount:
            return
        for number in range(dice.randint(0, 4)):
            amount = dice.randint(1, invoice.processed_amount)
            self._scheduler.start(gateway.refund(invoice_id, f"{invoice_id}-{number}", amount))
        payment = gateway.store.payments.get(invoice.payment_id or "")
        if dice.random() < 0.2 and payment is not None and payment.status is PaymentStatus.PROCESSED:
            gateway.bank.charge_back(payment.payment_id)

    def _decide(self, invoice_id: str) -> None:
        invoice = self._gateway.store.invoices[invoice_id]
        if invoice.status is Status.PROCESS_ERROR:
            self._gateway.decide(invoice_id, approve=self._scheduler.chance(0.5))


def _at_rest(gateway: Gateway) -> None:
    """Nothing is left to do, the books agree with the bank's, and the merchant knows."""
    store, bank = gateway.store, gateway.bank
    for invoice in store.invoices.values():
        _ended(gateway, invoice)
    waiting = [payment.payment_id for payment in store.payments.values() if payment.status in UNSETTLED]
    waiting += [refund.refund_id for refund in store.refunds.values() if refund.under_way]
    waiting += [f"a callback of {callback.invoice_id}" for callback in store.callbacks if callback.due_at]
    if waiting:
        raise Broken(f"{', '.join(waiting)} waits for ever")
    twice = [payment_id for payment_id, purchase in bank.purchases.items() if purchase.asked > 1]
    if twice:
        raise Broken(f"{', '.join(twice)} was asked for more than once (P1)")
    kept = sum(purchase.kept for purchase in bank.purchases.values())
    if store.balance(Purse.PROVIDER) != kept:
        raise Broken(f"the bank keeps {kept}, the books say {store.balance(Purse.PROVIDER)} (P2)")


def _ended(gateway: Gateway, invoice: Invoice) -> None:
    if invoice.status in model.OPEN:
        raise Broken(f"{invoice.invoice_id} is {invoice.status} for ever")
    if invoice.release_at is not None and invoice.release_at < gateway.now:
        raise Broken(f"{invoice.invoice_id} keeps its reserve")
    if invoice.final and invoice.status not in gateway.endpoint.heard.get(invoice.invoice_id, set()):
        raise Broken(f"nobody has heard that {invoice.invoice_id} is {invoice.status} (P7)")


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
