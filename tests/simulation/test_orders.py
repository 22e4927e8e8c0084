"""A provider's answers in every order there is, late, lost and repeated: each order ends in the same place (P2, P4)."""

import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from msgspec.structs import replace

from kassa.invoices.rules import settling
from kassa.invoices.rules.patience import RECHECK_AFTER
from kassa.invoices.rules.records import RefundStatus
from kassa.ledger.model import LedgerAccount
from kassa.providers.protocol import (
    Absent,
    Accepted,
    Declined,
    Dispute,
    DisputeStatus,
    Notice,
    Outcome,
    Pending,
    Redirect,
)
from tests.simulation.bank import Bank
from tests.simulation.gateway import LEASE, Gateway
from tests.simulation.process import Endpoint
from tests.simulation.scheduler import Call, Faults, Scheduler, Wait
from tests.simulation.simulate import account, invoice
from tests.simulation.store import Store

INVOICE: Final = "cpi-1"
AMOUNT: Final = 10_000
PACE_SECONDS: Final = 15
"""Between two answers: of seven, the last come when "never heard of it" is believed."""

PAID: Final = Accepted(external_id="b", amount=AMOUNT, currency="USD")
DISPUTED: Final = Accepted(external_id="b", amount=AMOUNT, currency="USD", disputes=(Dispute(amount=3_000),))
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


def finish(steps: Generator[Wait | Call, Any, object]) -> None:
    """Let Kassa do all of something at once; nothing of it speaks to the bank."""
    for step in steps:
        assert isinstance(step, Wait)


def hears(outcome: Outcome) -> Act:
    """Return what follows from an answer about the payment, whenever it was asked for."""

    def act(gateway: Gateway) -> None:
        (payment,) = gateway.store.payments.values()
        finish(gateway.apply_result(payment, outcome))
        (payment,) = gateway.store.payments.values()
        if payment.processed_amount and isinstance(outcome, Accepted):
            finish(gateway.apply_disputes(payment, outcome))

    return act


def of_refund(reference_id: str, outcome: Outcome) -> Act:
    """Return what follows from an answer about a refund that was asked for while it was on its way."""

    def act(gateway: Gateway) -> None:
        refund = next(each for each in gateway.store.refunds.values() if each.reference_id == reference_id)
        finish(gateway.apply_refund(replace(refund, status=RefundStatus.REFUND_PENDING), outcome))

    return act


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
            *(found.status, found.processed_amount, store.read(INVOICE).charged_back_amount, found.reserve_left),
            *(found.moderation_required, *(payment.status for payment in store.payments.values())),
            *(refund.status for refund in store.refunds.values()),
            *(store.balance(ledger_account) for ledger_account in LedgerAccount),
            store.callbacks[-1].status,
        )


def test_a_payment_that_was_disputed_is_booked_alike_whatever_is_heard_first() -> None:
    acts = [hears(outcome) for outcome in (*OLDER, PAID, DISPUTED)]
    found = list(ends(begun, acts, [hears(DISPUTED)]))
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
        *(of_refund("0", outcome) for outcome in (Pending(), REFUSED, back(4_000))),
        *(of_refund("1", outcome) for outcome in (Pending(external_id="r"), Pending(), Absent(), back(6_000))),
    ]
    found = list(ends(paid, acts, []))
    assert len(found) == 5_040
    assert len(set(found)) == 1
    assert found[0][:2] == ("refunded", AMOUNT)


def after(gateway: Gateway, *acts: Act) -> Gateway:
    """Let these happen one after the other."""
    for act in acts:
        gateway.scheduler.now += timedelta(seconds=PACE_SECONDS)
        act(gateway)
    return gateway


def paid_and_refunded() -> Gateway:
    """Return Kassa with a refund of all of it whose provider is being asked."""
    gateway = after(begun(), hears(PAID))
    gateway.scheduler.start(gateway.refund(INVOICE, "0", AMOUNT))
    gateway.scheduler.run(gateway.now)
    return gateway


def test_a_decline_that_is_said_again_is_still_polled_for_ten_minutes_later() -> None:
    gateway = after(begun(), hears(REFUSED), hears(REFUSED))
    (payment,) = gateway.store.payments.values()
    assert payment.due_at == payment.updated_at + RECHECK_AFTER
    gateway.scheduler.now += RECHECK_AFTER
    gateway.store.reschedule(payment, gateway.now + LEASE)
    after(gateway, hears(REFUSED))
    assert [each.due_at for each in gateway.store.payments.values()] == [None]


def test_a_refund_that_failed_is_still_polled_for_ten_minutes_later() -> None:
    gateway = after(paid_and_refunded(), of_refund("0", REFUSED), of_refund("0", REFUSED))
    (refund,) = gateway.store.refunds.values()
    assert refund.due_at == refund.updated_at + RECHECK_AFTER


def test_a_refund_that_is_done_stays_so_when_an_older_answer_comes_last() -> None:
    done = Accepted(external_id="r", amount=AMOUNT, currency="USD")
    gateway = after(paid_and_refunded(), of_refund("0", REFUSED), of_refund("0", done), of_refund("0", REFUSED))
    assert [(each.status, each.due_at) for each in gateway.store.refunds.values()] == [("refunded", None)]


def test_a_notification_of_a_refund_that_is_done_is_polled_for_until_there_is_an_answer() -> None:
    done = Accepted(external_id="r", amount=AMOUNT, currency="USD")
    gateway = after(paid_and_refunded(), of_refund("0", done))
    (refund,) = gateway.store.refunds.values()
    gateway.hear(Notice(payment_id=refund.payment_id, refund_id=refund.refund_id))
    after(gateway, lambda gateway: finish(gateway.apply_refund(refund, Pending())))
    assert gateway.store.refunds[refund.refund_id].due_at is not None
    after(gateway, lambda gateway: finish(gateway.apply_refund(refund, REFUSED)))
    assert [each.status for each in gateway.store.refunds.values()] == ["refund_failed"]
    assert gateway.store.balance(LedgerAccount.PROVIDER) == AMOUNT


def test_a_dispute_that_is_won_while_its_payment_is_held_costs_nothing() -> None:
    opened = Accepted(external_id="b", amount=4_000, currency="USD", disputes=(Dispute(amount=3_000),))
    won = replace(opened, disputes=(Dispute(amount=3_000, status=DisputeStatus.WON),))
    gateway = after(begun(), hears(opened), hears(won))
    finish(gateway.review(INVOICE, approve=True))
    after(gateway, hears(won))
    assert [(each.status, each.booked) for each in gateway.store.disputes.values()] == [("won", False)]
    assert gateway.store.balance(LedgerAccount.PROVIDER) == 4_000


def test_a_dispute_of_money_that_came_too_late_is_booked() -> None:
    gateway = begun()
    gateway.account = replace(gateway.account, late_success="refund")
    gateway.scheduler.now += timedelta(hours=1)
    finish(gateway.change(INVOICE, lambda snapshot: settling.expire(snapshot, now=gateway.now)))
    gateway = after(gateway, hears(PAID), of_unwanted(REFUSED), hears(DISPUTED))
    assert [(each.booked, each.unexpected, each.held) for each in gateway.store.disputes.values()] == [
        (True, True, 3_000)
    ]
    assert gateway.store.balance(LedgerAccount.PROVIDER) == AMOUNT - 3_000


def of_unwanted(outcome: Outcome) -> Act:
    """Return what follows from an answer about the refund of money that was not the merchant's."""

    def act(gateway: Gateway) -> None:
        (refund,) = gateway.store.refunds.values()
        finish(gateway.apply_refund(refund, outcome))

    return act
