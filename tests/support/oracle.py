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
from kassa.invoices.model import TRANSITIONS, Status
from kassa.ledger.model import Purse
from tests.support import ledger
from tests.support.world import World

Amounts = Counter[tuple[Purse, str]]

HELD: Final = ("process_error", "refund_pending", "refund_failed", "refund_error")
"""Statuses of an attempt whose money is at the provider and nobody's yet."""
WAITING: Final = ("invoke_pending", "invoked", "process_pending")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """All that is written down of an account's invoices."""

    invoices: list[Mapping[str, Any]]
    payments: list[Mapping[str, Any]]
    refunds: list[Mapping[str, Any]]
    callbacks: list[Mapping[str, Any]]
    charge_backs: Mapping[str, int]
    """How many an invoice has had."""
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

    taken = await pool.fetch(
        "SELECT invoice_id, count(DISTINCT entry_id) AS times FROM ledger_transfers"
        " WHERE account_id = $1 AND recipe = 'charged_back' GROUP BY 1",
        account.account_id,
    )
    settled = await pool.fetch(
        "SELECT invoice_id FROM moderation_decisions WHERE account_id = $1 AND verdict = 'settled'", account.account_id
    )
    return Rows(
        invoices=await rows("invoices", "created_at, invoice_id"),
        payments=await rows("payments", "invoice_id, number"),
        refunds=await rows("refunds", "created_at, refund_id"),
        callbacks=await rows("callbacks", "invoice_id, logged_at"),
        charge_backs={row["invoice_id"]: row["times"] for row in taken},
        settled=frozenset(row["invoice_id"] for row in settled),
    )


def balances(rows: Rows, charge_back_fees: Mapping[str, int]) -> dict[tuple[Purse, str], int]:
    """Return what each purse holds that is not empty; ``charge_back_fees`` is what one costs, by currency."""
    total = Amounts()
    for payment in rows.payments:
        currency, back = payment["processed_currency"], payment["charged_back_amount"]
        if payment["status"] in (*HELD, "processed"):
            total[Purse.PROVIDER, currency] += payment["processed_amount"] - back
        if payment["status"] in HELD:
            total[Purse.PENDING, currency] += payment["processed_amount"] - back
        if payment["status"] == "refunded":
            sent = payment["processed_amount"] if payment["returned_amount"] is None else payment["returned_amount"]
            for purse in (Purse.PROVIDER, Purse.ACTIVE):
                total[purse, currency] += payment["processed_amount"] - sent - back
    for invoice in rows.invoices:
        if invoice["processed_amount"] is not None:
            _add_paid(total, invoice, *rows.of(invoice["invoice_id"]))
            fees = rows.charge_backs.get(invoice["invoice_id"], 0) * charge_back_fees[invoice["currency"]]
            _move(total, Purse.ACTIVE, Purse.FEES, invoice["currency"], fees)
    return {key: minor for key, minor in total.items() if minor}


def _add_paid(
    total: Amounts, invoice: Mapping[str, Any], payments: list[Mapping[str, Any]], refunds: list[Mapping[str, Any]]
) -> None:
    currency, there = invoice["currency"], invoice["service_currency"]
    back = [each for each in refunds if each["status"] == "refunded"]
    set_aside = sum(each["amount"] for each in refunds if each["status"] in ("refund_pending", "refund_error"))
    gone = sum(counted(each) for each in back) + (invoice["charged_back_amount"] or 0)
    gone_there = sum(_sent(each) for each in back) + (invoice["charged_back_service_amount"] or 0)
    taken = sum(each["processed_amount"] for each in payments if each["status"] == "processed")
    total[Purse.PROVIDER, there] -= gone_there
    if currency != there:
        total[Purse.EXCHANGE, there] += taken - gone_there
        total[Purse.EXCHANGE, currency] -= invoice["processed_amount"] - gone
    total[Purse.ACTIVE, currency] += invoice["processed_amount"] - gone
    _move(total, Purse.ACTIVE, Purse.PENDING, currency, set_aside)
    _move(total, Purse.ACTIVE, Purse.RESERVED, currency, invoice["reserve_left"])
    _move(total, Purse.ACTIVE, Purse.FEES, currency, invoice["processed_fee"] + sum(each["fee"] for each in back))


def counted(refund: Mapping[str, Any]) -> int:
    """Return what of its invoice a refund takes: what was asked for, or what a person has settled."""
    return int(refund["amount"] if refund["settled_amount"] is None else refund["settled_amount"])


def _sent(refund: Mapping[str, Any]) -> int:
    """Return what the provider sent back by a refund, which here is never another currency."""
    return int(refund["provider_amount"] if refund["returned_amount"] is None else refund["returned_amount"])


def _move(total: Amounts, source: Purse, target: Purse, currency: str, minor: int) -> None:
    total[source, currency] -= minor
    total[target, currency] += minor


async def check(world: World, account: Account, charge_back_fees: Mapping[str, int]) -> Rows:
    """Hold the rows against the books and against what may be, and return them."""
    rows = await read(world, account)
    found = await ledger.balances(world.platform.pool, account.account_id)
    assert {key: minor for key, minor in found.items() if minor} == balances(rows, charge_back_fees)
    for (purse, currency), minor in found.items():
        assert minor >= 0 or purse not in (Purse.PENDING, Purse.RESERVED), (purse, currency, minor)
    told = {key: list(each) for key, each in groupby(rows.callbacks, key=lambda row: row["invoice_id"])}
    for invoice in rows.invoices:
        called = invoice["moderation_required"] or invoice["invoice_id"] in rows.settled
        _check_invoice(invoice, *rows.of(invoice["invoice_id"]), called=called)
        _check_told(invoice, [Status(row["invoice_status"]) for row in told[invoice["invoice_id"]]])
    return rows


def _check_invoice(
    invoice: Mapping[str, Any], payments: list[Mapping[str, Any]], refunds: list[Mapping[str, Any]], *, called: bool
) -> None:
    """Hold one invoice against what may be; ``called`` where a person was called to it."""
    statuses = Counter(each["status"] for each in payments)
    assert sum(statuses[status] for status in WAITING) <= 1, statuses
    assert statuses["processed"] == (invoice["processed_amount"] is not None), statuses
    assert (invoice["status"] == "process_error") <= bool(statuses["process_error"]), statuses
    assert [each["number"] for each in payments] == list(range(1, invoice["attempts"] + 1))
    if invoice["processed_amount"] is None:
        assert (refunds, invoice["charged_back_amount"]) == ([], None)
        return
    charged_back = invoice["charged_back_amount"] or 0
    claimed = sum(counted(each) for each in refunds if each["status"] != "refund_failed")
    sent_back = sum(counted(each) for each in refunds if each["status"] == "refunded")
    # The payer's bank alone may take more than is left: from what refunds that are under way have set aside.
    assert claimed <= invoice["processed_amount"]
    assert sent_back + charged_back <= invoice["processed_amount"] or called
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

    But for charge-backs of money that waits for a person's decision: those are booked once it has been made.
    """
    payments = {each["payment_id"]: each for each in rows.payments}
    total: Counter[str] = Counter()
    for line in await world.statement():
        if line["order"] not in payments:
            continue
        sign = 1 if line["kind"] == "PURCHASE" else -1
        if line["kind"] == "CHARGE_BACK" and payments[line["order"]]["status"] == "process_error":
            sign = 0
        total[line["currency"]] += sign * line["amount"]
    return {currency: minor for currency, minor in total.items() if minor}


async def recipes(world: World, account: Account) -> set[str]:
    """Return which recipes an account's entries were made by."""
    found = await world.platform.pool.fetch(
        "SELECT DISTINCT recipe FROM ledger_transfers WHERE account_id = $1", account.account_id
    )
    return {row["recipe"] for row in found}
