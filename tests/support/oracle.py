"""What an account's books have to hold, told from its rows alone: a row and its entry are written in one transaction.

So whatever died where, the books that follow from the rows are those that are there, and the merchant was told of each
step on the way.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby, pairwise
from typing import Any, Final

import msgspec

from kassa.accounts.model import Account
from kassa.invoices.rules.invoice import TRANSITIONS, Status
from kassa.ledger.model import LedgerAccount
from tests.support import ledger
from tests.support.world import World

Amounts = Counter[tuple[LedgerAccount, str]]

WAITING: Final = ("invoke_pending", "invoked", "process_pending")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """All that is written down of an account's invoices."""

    invoices: list[Mapping[str, Any]]
    payments: list[Mapping[str, Any]]
    refunds: list[Mapping[str, Any]]
    """Those that the merchant asked for."""
    returns: list[Mapping[str, Any]]
    """Those of money that is not the merchant's."""
    disputes: list[Mapping[str, Any]]
    callbacks: list[Mapping[str, Any]]
    settled: frozenset[str]
    """Invoices that a person has taken off his list."""

    def of(self, invoice_id: str) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """Return an invoice's attempts and refunds."""
        return (
            [each for each in self.payments if each["invoice_id"] == invoice_id],
            [each for each in self.refunds if each["invoice_id"] == invoice_id],
        )


async def read(world: World, account: Account) -> Rows:
    """Read what is written down of an account's invoices."""
    pool = world.platform.pool

    async def rows(table: str, order: str) -> list[Mapping[str, Any]]:
        found = await pool.fetch(f"SELECT * FROM {table} WHERE account_id = $1 ORDER BY {order}", account.account_id)
        return [dict(row) for row in found]

    settled = await pool.fetch(
        "SELECT invoice_id FROM moderation_decisions WHERE account_id = $1 AND verdict = 'settled'", account.account_id
    )
    refunds = await rows("refunds", "created_at, refund_id")
    return Rows(
        invoices=await rows("invoices", "created_at, invoice_id"),
        payments=await rows("payments", "invoice_id, attempt_number"),
        refunds=[each for each in refunds if each["reason"] == "requested"],
        returns=[each for each in refunds if each["reason"] != "requested"],
        disputes=await rows("disputes", "opened_at, position"),
        callbacks=await rows("callbacks", "invoice_id, logged_at"),
        settled=frozenset(row["invoice_id"] for row in settled),
    )


def balances(rows: Rows) -> dict[tuple[LedgerAccount, str], int]:
    """Return what each ledger account holds that is not empty."""
    total = Amounts()
    for payment in rows.payments:
        currency, taken = payment["processed_currency"], payment["processed_amount"]
        if payment["status"] not in ("processed", "process_error") or not taken:
            continue
        total[LedgerAccount.PROVIDER, currency] += taken
        if payment["status"] == "process_error" or payment["unexpected"] is not None:
            _add_unexpected(total, payment, rows)
    for invoice in rows.invoices:
        if invoice["processed_amount"] is not None:
            _add_paid(total, invoice, rows)
    return {key: minor for key, minor in total.items() if minor}


def _add_unexpected(total: Amounts, payment: Mapping[str, Any], rows: Rows) -> None:
    """Add money that is held, or that goes back: pending until it is back, less what was disputed."""
    currency = payment["processed_currency"]
    total[LedgerAccount.PENDING, currency] += payment["processed_amount"]
    for refund in rows.returns:
        if refund["payment_id"] == payment["payment_id"] and refund["status"] == "refunded":
            sent = _sent(refund)
            total[LedgerAccount.PENDING, currency] -= refund["amount"]
            total[LedgerAccount.PROVIDER, currency] -= sent
            total[LedgerAccount.ACTIVE, currency] += refund["amount"] - sent
    for dispute in rows.disputes:
        if dispute["payment_id"] == payment["payment_id"] and dispute["booked"] and dispute["status"] != "won":
            _move(total, LedgerAccount.PENDING, LedgerAccount.ACTIVE, currency, dispute["held"])
            total[LedgerAccount.ACTIVE, currency] -= dispute["amount"]
            total[LedgerAccount.PROVIDER, currency] -= dispute["amount"]


def charged_back(invoice: Mapping[str, Any], rows: Rows) -> list[Mapping[str, Any]]:
    """Return the disputes of the merchant's money that have been booked."""
    return [
        each
        for each in rows.disputes
        if each["invoice_id"] == invoice["invoice_id"] and each["booked"] and not each["unexpected"]
    ]


def _add_paid(total: Amounts, invoice: Mapping[str, Any], rows: Rows) -> None:
    currency, there = invoice["currency"], invoice["service_currency"]
    payments, refunds = rows.of(invoice["invoice_id"])
    disputes = charged_back(invoice, rows)
    lost = [each for each in disputes if each["status"] != "won"]
    back = [each for each in refunds if each["status"] == "refunded"]
    set_aside = sum(each["amount"] for each in refunds if each["status"] in ("refund_pending", "refund_error"))
    gone = sum(counted(each) for each in back) + sum(each["amount"] for each in lost)
    gone_there = sum(_sent(each) for each in back) + sum(each["provider_amount"] for each in lost)
    paid = [each for each in payments if each["status"] == "processed" and each["unexpected"] is None]
    taken = sum(each["processed_amount"] for each in paid)
    total[LedgerAccount.PROVIDER, there] -= gone_there
    if currency != there:
        total[LedgerAccount.EXCHANGE, there] += taken - gone_there
        total[LedgerAccount.EXCHANGE, currency] -= invoice["processed_amount"] - gone
    total[LedgerAccount.ACTIVE, currency] += invoice["processed_amount"] - gone
    _move(total, LedgerAccount.ACTIVE, LedgerAccount.PENDING, currency, set_aside)
    _move(total, LedgerAccount.ACTIVE, LedgerAccount.RESERVED, currency, invoice["reserve_left"])
    fees = sum(each["fee"] for each in back) + sum(each["fee"] for each in disputes)
    _move(total, LedgerAccount.ACTIVE, LedgerAccount.FEES, currency, invoice["processed_fee"] + fees)


def counted(refund: Mapping[str, Any]) -> int:
    """Return what of its invoice a refund takes: what was asked for, or what a person has settled."""
    return int(refund["amount"] if refund["settled_amount"] is None else refund["settled_amount"])


def _sent(refund: Mapping[str, Any]) -> int:
    """Return what the provider sent back by a refund, which here is never another currency."""
    return int(refund["provider_amount"] if refund["returned_amount"] is None else refund["returned_amount"])


def _move(total: Amounts, source: LedgerAccount, target: LedgerAccount, currency: str, minor: int) -> None:
    total[source, currency] -= minor
    total[target, currency] += minor


async def check(world: World, account: Account) -> Rows:
    """Hold the rows against the books and against what may be, and return them."""
    rows = await read(world, account)
    found = await ledger.balances(world.platform.pool, account.account_id)
    assert {key: minor for key, minor in found.items() if minor} == balances(rows)
    for (purse, currency), minor in found.items():
        assert minor >= 0 or purse not in (LedgerAccount.PENDING, LedgerAccount.RESERVED), (purse, currency, minor)
    told = {key: list(each) for key, each in groupby(rows.callbacks, key=lambda row: row["invoice_id"])}
    for invoice in rows.invoices:
        called = invoice["moderation_required"] or invoice["invoice_id"] in rows.settled
        _check_invoice(invoice, rows, called=called)
        _check_told(invoice, [Status(row["invoice_status"]) for row in told[invoice["invoice_id"]]])
    return rows


def _check_invoice(invoice: Mapping[str, Any], rows: Rows, *, called: bool) -> None:
    """Hold one invoice against what may be; ``called`` where it was flagged for review."""
    payments, refunds = rows.of(invoice["invoice_id"])
    statuses = Counter(each["status"] for each in payments if each["unexpected"] is None)
    assert sum(statuses[status] for status in WAITING) <= 1, statuses
    assert statuses["processed"] == (invoice["processed_amount"] is not None), statuses
    assert (invoice["status"] == "process_error") <= bool(statuses["process_error"]), statuses
    assert [each["attempt_number"] for each in payments] == list(range(1, invoice["attempts"] + 1))
    disputes = charged_back(invoice, rows)
    if invoice["processed_amount"] is None:
        assert (refunds, disputes) == ([], [])
        return
    lost = sum(each["amount"] for each in disputes if each["status"] != "won")
    claimed = sum(counted(each) for each in refunds if each["status"] != "refund_failed")
    sent_back = sum(counted(each) for each in refunds if each["status"] == "refunded")
    # The payer's bank alone may take more than is left: from what refunds that are pending have set aside.
    assert claimed <= invoice["processed_amount"]
    assert sent_back + lost <= invoice["processed_amount"] or called
    assert 0 <= invoice["reserve_left"] <= (invoice["reserved_amount"] or 0)


def _check_told(invoice: Mapping[str, Any], statuses: list[Status]) -> None:
    """Hold the callbacks, of which there is one for each change of status, against the table of changes."""
    assert statuses[0] in (Status.PROCESS_PENDING, Status.CREATED)
    assert statuses[-1] == invoice["status"]
    for before, after in pairwise(statuses):
        again = before is after and after in (Status.CHARGED_BACK, Status.PARTIALLY_CHARGED_BACK)
        assert again or after in TRANSITIONS[before], statuses


async def at_bank(world: World, rows: Rows) -> dict[str, int]:
    """Return what the bank holds of these attempts, by currency.

    But for disputes of money that is held for review, or on its way back: those are booked once that has ended.
    """
    payments = {each["payment_id"]: each for each in rows.payments}
    waiting = {each["payment_id"] for each in rows.disputes if not each["booked"]}
    total: Counter[str] = Counter()
    for line in await world.statement():
        if line["order"] not in payments:
            continue
        sign = 1 if line["kind"] == "PURCHASE" else -1
        if line["kind"] == "CHARGE_BACK" and line["order"] in waiting:
            sign = 0
        total[line["currency"]] += sign * line["amount"]
    return {currency: minor for currency, minor in total.items() if minor}


async def recipes(world: World, account: Account) -> set[str]:
    """Return which recipes an account's entries were made by."""
    found = await world.platform.pool.fetch(
        "SELECT DISTINCT recipe FROM ledger_transfers WHERE account_id = $1", account.account_id
    )
    return {row["recipe"] for row in found}
