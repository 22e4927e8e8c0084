"""The chain's hash, made again by hand as an auditor would: with other code, from what the documentation says."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kassa.ledger.chain import GENESIS, chained
from kassa.ledger.model import LedgerAccount, Row, Transfer

ACCOUNT = "coma_Acct000000000000"
ENTRY = "processed:pay_1"
MOMENT = datetime(2026, 11, 24, 12, 30, 15, 123456, tzinfo=UTC)
TRANSFER = Transfer(debit=LedgerAccount.PROVIDER, credit=LedgerAccount.ACTIVE, amount=10_000, currency="USD")
ROW = Row(
    line=1,
    test_mode=True,
    recipe="processed",
    invoice_id="cpi_1",
    payment_id="pay_1",
    refund_id=None,
    dispute_id="dsp_1",
    charged_back_total=7,
    created_at=MOMENT,
    transfer=TRANSFER,
)
WRITTEN: list[Any] = [
    *(1, True, "processed", "cpi_1", "pay_1", None, "dsp_1", 7),
    *(1795523415123456, "provider", "active", 10_000, "USD"),
]


def made(previous: bytes, content: list[Any]) -> bytes:
    return hashlib.sha256(previous + json.dumps(content, separators=(",", ":")).encode()).digest()


def test_an_auditor_makes_the_same_chain_by_hand() -> None:
    first = chained(GENESIS, 1, ENTRY, [ROW], account_id=ACCOUNT, test_mode=True)
    assert first == made(bytes(32), [ACCOUNT, True, 1, ENTRY, [WRITTEN]])
    second = msgspec.structs.replace(ROW, line=2, invoice_id=None)
    assert chained(first, 2, "x", [ROW, second], account_id=ACCOUNT, test_mode=False) == made(
        first, [ACCOUNT, False, 2, "x", [WRITTEN, [2, *WRITTEN[1:3], None, *WRITTEN[4:]]]]
    )


@pytest.mark.parametrize(
    "row",
    [
        msgspec.structs.replace(ROW, line=2),
        msgspec.structs.replace(ROW, test_mode=False),
        msgspec.structs.replace(ROW, recipe="refund_sent"),
        msgspec.structs.replace(ROW, invoice_id=None),
        msgspec.structs.replace(ROW, payment_id=None),
        msgspec.structs.replace(ROW, refund_id="ref_1"),
        msgspec.structs.replace(ROW, dispute_id="dsp_2"),
        msgspec.structs.replace(ROW, charged_back_total=8),
        msgspec.structs.replace(ROW, created_at=MOMENT + timedelta(microseconds=1)),
        *(
            msgspec.structs.replace(ROW, transfer=msgspec.structs.replace(TRANSFER, **change))
            for change in (
                {"debit": LedgerAccount.PENDING},
                {"credit": LedgerAccount.FEES},
                {"amount": 9_999},
                {"currency": "EUR"},
            )
        ),
    ],
)
def test_every_column_of_a_row_is_in_the_hash(row: Row) -> None:
    sound = chained(GENESIS, 1, ENTRY, [ROW], account_id=ACCOUNT, test_mode=True)
    assert chained(GENESIS, 1, ENTRY, [row], account_id=ACCOUNT, test_mode=True) != sound
