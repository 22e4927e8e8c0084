"""Compares the bank's books with Kassa's: they must agree to the last movement (P1, P2)."""

from collections import Counter
from itertools import product
from typing import Any, Final, Protocol

import aiohttp

from kassa.accounts.operations import BANK_MERCHANT_ID, bank_merchant_secret
from kassa.db.pool import Pool
from kassa.sealing import Root
from tests.support import ledger

REVERSALS: Final = {
    "CHARGE_BACK_REVERSAL": ("dispute_won", "dispute_won_unexpected"),
    "REFUND_REVERSAL": ("refund_failed_after_success",),
}
"""What undoes what went back, at the bank, and the recipes that book it."""


class Kept(Protocol):
    """Who can see both books: the operator of a running Kassa, or a test that has no servers."""

    @property
    def pool(self) -> Pool:
        """Connections to Kassa's database."""

    @property
    def root(self) -> Root:
        """What the bank's secret follows from."""

    @property
    def session(self) -> aiohttp.ClientSession:
        """A client for the bank."""

    async def fetch(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Return rows of Kassa's database."""


async def statement(office: Kept, bank_url: str) -> list[dict[str, Any]]:
    """Return every movement in the bank's books."""
    lines: list[dict[str, Any]] = []
    authorization = aiohttp.encode_basic_auth(BANK_MERCHANT_ID, bank_merchant_secret(office.root))
    after: str | None = ""
    while after is not None:
        async with office.session.get(
            f"{bank_url}/statement", params={"after": after}, headers={"Authorization": authorization}
        ) as answer:
            document = await answer.json()
        lines += document["lines"]
        after = document["next"]
    return lines


async def taken_for(office: Kept, bank_url: str, invoice_id: str) -> list[dict[str, Any]]:
    """Return the bank's movements for one invoice."""
    rows = await office.fetch("SELECT payment_id FROM payments WHERE invoice_id = $1", invoice_id)
    ids = {row["payment_id"] for row in rows}
    return [line for line in await statement(office, bank_url) if line["order"] in ids]


async def agree_on(office: Kept, bank_url: str, invoice_id: str) -> bool:
    """Tell whether Kassa has booked for one invoice what the bank took, whatever became of all others."""
    entries = await office.fetch(
        "SELECT amount, currency FROM ledger_transfers WHERE invoice_id = $1 AND debit = 'provider'", invoice_id
    )
    taken = await taken_for(office, bank_url, invoice_id)
    return Counter((line["amount"], line["currency"]) for line in taken) == _counted(entries)


async def agree(office: Kept, bank_url: str) -> bool:
    """Tell whether what the bank took is what Kassa has booked: each once, with its amount, currency and number.

    The ledger says the same, and proves.
    """
    return not await differences(office, bank_url)


async def differences(office: Kept, bank_url: str) -> list[str]:
    """Say where the books do not agree, one line for each place; of movements, those that one side alone knows."""
    at_bank = Counter(
        (line["order"], line["amount"], line["currency"], line["rrn"])
        for line in await statement(office, bank_url)
        if line["kind"] == "PURCHASE"
    )
    rows = await office.fetch(
        "SELECT p.payment_id, p.processed_amount, p.processed_currency, p.rrn FROM payments p"
        " JOIN invoices i USING (account_id, invoice_id)"
        " WHERE p.processed_amount > 0 AND i.payment_flow = 'charge' AND (p.status <> 'processed'"
        " OR p.unexpected IS NOT NULL OR i.processed_amount = p.processed_amount OR i.currency <> i.service_currency)"
    )
    entries = await office.fetch(
        "SELECT split_part(entry_id, ':', 2) AS payment_id, amount, currency FROM ledger_transfers"
        " WHERE debit = 'provider' AND NOT recipe = ANY($1)",
        sum(REVERSALS.values(), ()),
    )
    without_numbers = Counter(movement[:3] for movement in at_bank.elements())
    return [
        *_unlike("payments", at_bank, _counted(rows)),
        *_unlike("ledger", without_numbers, _counted(entries)),
        *await _went_back(office, bank_url),
        *await _came_back(office, bank_url),
        *([] if await proven(office) else ["the ledger does not prove"]),
        *([] if await reserves_agree(office) else ["the reserves hold something else than the invoices say"]),
    ]


def _counted(rows: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row.values()) for row in rows)


def _unlike(name: str, at_bank: Counter[tuple[Any, ...]], ours: Counter[tuple[Any, ...]]) -> list[str]:
    alone = [("the bank alone", at_bank - ours), (f"the {name} alone", ours - at_bank)]
    return [f"{who} knows {movements}" for who, counted in alone if (movements := sorted(counted.elements(), key=str))]


async def reserves_agree(office: Kept) -> bool:
    """Tell whether each reserve of the ledger holds what is left for its invoices."""
    differing = await office.fetch(
        "SELECT account_id FROM ("
        " SELECT account_id, test_mode, currency, reserve_left AS minor FROM invoices"
        " UNION ALL SELECT account_id, test_mode, currency, -amount FROM ledger_transfers WHERE credit = 'reserved'"
        " UNION ALL SELECT account_id, test_mode, currency, amount FROM ledger_transfers WHERE debit = 'reserved'"
        ") AS told GROUP BY account_id, test_mode, currency HAVING sum(minor) <> 0"
    )
    return not differing


async def _went_back(office: Kept, bank_url: str) -> list[str]:
    """Say where what went back at the bank is not what Kassa has booked: by refunds and disputes."""
    lines = [line for line in await statement(office, bank_url) if line["kind"] in ("REFUND", "CHARGE_BACK")]
    refunds = await office.fetch(
        "SELECT payment_id, refund_id, coalesce(returned_amount, provider_amount) AS amount,"
        " coalesce(returned_currency, provider_currency) AS currency FROM refunds"
        " WHERE status = 'refunded' OR reversed_at IS NOT NULL"
    )
    entries = await office.fetch("SELECT invoice_id, amount, currency FROM ledger_transfers WHERE credit = 'provider'")
    invoices = await _invoices_of_orders(office)
    at_bank = Counter(
        (line["order"], line["refund"], line["amount"], line["currency"]) for line in lines if line["refund"]
    )
    gone = Counter((invoices[line["order"]], line["amount"], line["currency"]) for line in lines)
    return [*_unlike("refunds", at_bank, _counted(refunds)), *_unlike("ledger", gone, _counted(entries))]


async def _came_back(office: Kept, bank_url: str) -> list[str]:
    """Say where what came back at the bank is not what Kassa has booked: won disputes, and refunds undelivered."""
    invoices = await _invoices_of_orders(office)
    at_bank = Counter(
        (invoices[line["order"]], line["kind"], line["amount"], line["currency"])
        for line in await statement(office, bank_url)
        if line["kind"] in REVERSALS
    )
    entries = [
        {"invoice_id": row["invoice_id"], "kind": kind, "amount": row["amount"], "currency": row["currency"]}
        for kind, recipes in REVERSALS.items()
        for row in await office.fetch(
            "SELECT invoice_id, amount, currency FROM ledger_transfers WHERE debit = 'provider' AND recipe = ANY($1)",
            recipes,
        )
    ]
    return _unlike("ledger", at_bank, _counted(entries))


async def proven(office: Kept) -> bool:
    """Tell whether the books of every account and mode are whole."""
    accounts = [row["account_id"] for row in await office.fetch("SELECT account_id FROM accounts")]
    for account_id, test_mode in product(accounts, (False, True)):
        if (await ledger.verified(office.pool, account_id, test_mode=test_mode)).problems:
            return False
    return True


async def quiet(office: Kept, account_id: str) -> bool:
    """Tell whether no attempt or refund of an account waits for the bank's word, and no callback for its merchant."""
    waiting = await office.fetch(
        "SELECT payment_id FROM payments WHERE account_id = $1"
        " AND status IN ('invoke_pending', 'invoked', 'process_pending')"
        " UNION ALL SELECT refund_id FROM refunds WHERE account_id = $1 AND status = 'refund_pending'"
        " UNION ALL SELECT callback_id FROM callbacks WHERE account_id = $1 AND status = 'pending'",
        account_id,
    )
    return not waiting


async def net_agrees(office: Kept, bank_url: str) -> bool:
    """Tell whether for each invoice the bank keeps what Kassa's books say that it does, refunds taken off.

    Unlike ``agree`` it is true of money that waits for a person, or went back, as well.
    """
    invoices = await _invoices_of_orders(office)
    at_bank: Counter[tuple[str, str]] = Counter()
    for line in await statement(office, bank_url):
        sign = 1 if line["kind"] == "PURCHASE" or line["kind"] in REVERSALS else -1
        at_bank[invoices[line["order"]], line["currency"]] += sign * line["amount"]
    rows = await office.fetch(
        "SELECT invoice_id, currency, sum(CASE WHEN debit = 'provider' THEN amount ELSE -amount END)::bigint AS net"
        " FROM ledger_transfers WHERE 'provider' IN (debit, credit) GROUP BY 1, 2"
    )
    return at_bank == Counter({(row["invoice_id"], row["currency"]): row["net"] for row in rows})


async def _invoices_of_orders(office: Kept) -> dict[str, str]:
    rows = await office.fetch("SELECT payment_id, invoice_id FROM payments")
    return {row["payment_id"]: row["invoice_id"] for row in rows}
