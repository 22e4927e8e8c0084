"""A provider's answers in every order there is, late, lost and repeated: each order ends in the same place (P2, P4)."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from kassa.ledger.model import Purse
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending, Redirect
from tests.simulation.bank import Bank
from tests.simulation.gateway import Endpoint, Gateway
from tests.simulation.scheduler import Faults, Scheduler
from tests.simulation.simulate import account, invoice
from tests.simulation.store import Store

INVOICE: Final = "cpi-1"
PAYMENT: Final = "pay-cpi-1-1"
AMOUNT: Final = 10_000
PACE_SECONDS: Final = 15
"""Between two answers: of seven, the last come when "never heard of it" is believed."""

PAID: Final = Accepted(external_id="b", amount=AMOUNT, currency="USD")
CHARGED_BACK: Final = Accepted(external_id="b", amount=AMOUNT, currency="USD", charge_backs=(3_000,))
LESS: Final = Accepted(external_id="b", amount=4_000, currency="USD")
REFUSED: Final = Declined(external_id="b", resolution="declined")
OLDER: Final = (
    Redirect(external_id="b", action="https://bank.example", method="GET", params={}),
    Pending(external_id="b"),
    Pending(),
    Absent(),
    REFUSED,
)
"""What a provider may have said before, or says when it is not well."""

Act = Callable[[Gateway], None]


def begun() -> Gateway:
    """Return Kassa with an attempt whose provider is being asked."""
    scheduler = Scheduler(seed=1, faults=Faults())
    store, bank = Store(), Bank(scheduler=scheduler)
    endpoint = Endpoint(scheduler=scheduler)
    gateway = Gateway(
        scheduler=scheduler, store=store, bank=bank, endpoint=endpoint, account=account(late_success="book")
    )
    store.create(invoice(INVOICE, scheduler.now, amount=AMOUNT, fee=250, reserve_rate=10))
    scheduler.start(gateway.pay(INVOICE, 1))
    scheduler.run(scheduler.now)
    return gateway


def hears(outcome: Outcome) -> Act:
    """Return what follows from an answer about the payment, whenever it was asked for."""

    def act(gateway: Gateway) -> None:
        payment = gateway.store.payments[PAYMENT]
        gateway.settle(payment, outcome)
        if gateway.store.payments[PAYMENT].processed_amount:
            gateway.charge_back(gateway.store.payments[PAYMENT], outcome)

    return act


def of_refund(refund_id: str, outcome: Outcome) -> Act:
    """Return what follows from an answer about a refund."""
    return lambda gateway: gateway.settle_refund(gateway.store.refunds[refund_id], outcome)


def ends(start: Callable[[], Gateway], acts: Sequence[Act], truth: Sequence[Act]) -> Iterator[tuple[object, ...]]:
    """Yield where each order of these acts leads, once the truth is heard in the end."""
    for order in itertools.permutations(acts):
        gateway = start()
        for act in (*order, *truth):
            gateway.scheduler.now += timedelta(seconds=PACE_SECONDS)
            act(gateway)
        store = gateway.store
        found = store.invoices[INVOICE]
        yield (
            *(found.status, found.processed_amount, found.charged_back_amount, found.reserve_left),
            *(found.moderation_required, store.payments[PAYMENT].status),
            *(refund.status for refund in store.refunds.values()),
            *(store.balance(purse) for purse in Purse),
            store.callbacks[-1].status,
        )


def test_a_payment_that_was_charged_back_is_booked_alike_whatever_is_heard_first() -> None:
    acts = [hears(outcome) for outcome in (*OLDER, PAID, CHARGED_BACK)]
    found = list(ends(begun, acts, [hears(CHARGED_BACK)]))
    assert len(found) == 5_040
    assert len(set(found)) == 1
    assert found[0][:4] == ("partially_charged_back", AMOUNT, 3_000, 0)


def test_what_was_not_asked_for_is_held_alike_whatever_is_heard_first() -> None:
    acts = [hears(outcome) for outcome in (*OLDER, LESS)]
    found = set(ends(begun, acts, [hears(LESS)]))
    assert len(found) == 1
    assert next(iter(found))[0] == "process_error"


def test_two_refunds_end_alike_whatever_is_heard_of_which() -> None:
    def paid() -> Gateway:
        gateway = begun()
        hears(PAID)(gateway)
        for number, amount in enumerate((4_000, 6_000)):
            gateway.scheduler.start(gateway.refund(INVOICE, str(number), amount))
        gateway.scheduler.run(gateway.now)
        return gateway

    def back(amount: int) -> Accepted:
        return Accepted(external_id="r", amount=amount, currency="USD")

    acts = [
        *(of_refund("ref-0", outcome) for outcome in (Pending(), REFUSED, back(4_000))),
        *(of_refund("ref-1", outcome) for outcome in (Pending(external_id="r"), Pending(), Absent(), back(6_000))),
    ]
    found = list(ends(paid, acts, []))
    assert len(found) == 5_040
    assert len(set(found)) == 1
    assert found[0][:2] == ("refunded", AMOUNT)
