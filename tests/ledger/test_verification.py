"""What the owner of the database does to the books behind everybody's back is named, row by row and nothing else."""

import pytest

from kassa.ledger import verification
from tests.support.ledger import booked, number, paid, post, tamper, verified
from tests.support.postgres import Database

_COPIED = "recipe, invoice_id, payment_id, debit, credit, amount, currency, created_at"
SLIP = (
    f"INSERT INTO ledger_transfers (account_id, entry_id, line, test_mode, {_COPIED})"
    f" SELECT account_id, {{entry}}, {{line}}, {{mode}}, {_COPIED}"
    " FROM ledger_transfers WHERE entry_id = 'processed:pay_1' AND line = 1"
)
CHANGED = "entry processed:pay_1 (journal line 2) was changed"


@pytest.mark.parametrize(
    "change",
    [
        "amount = 999",
        "currency = 'EUR'",
        "credit = 'pending'",
        "debit = 'exchange'",
        "recipe = 'refund_sent'",
        "invoice_id = 'cpi_other'",
        "invoice_id = NULL",
        "payment_id = 'pay_other'",
        "payment_id = NULL",
        "refund_id = 'ref_other'",
        "dispute_id = 'dsp_other'",
        "charged_back_total = 1",
        "created_at = created_at + interval '1 microsecond'",
        "test_mode = false",
        "line = 7",
    ],
)
@pytest.mark.parametrize("line", [1, 2])
async def test_a_changed_row_is_named_whatever_was_changed(database: Database, change: str, line: int) -> None:
    account_id = await booked(database, 4)
    where = f"WHERE entry_id = 'processed:pay_1' AND line = {line}"
    await tamper(database, f"UPDATE ledger_transfers SET {change} {where}")
    assert (await verified(database.pool, account_id)).problems == (CHANGED,)


@pytest.mark.parametrize(
    "statement, problems",
    [
        ("DELETE FROM ledger_transfers WHERE entry_id = 'processed:pay_1' AND line = 3", (CHANGED,)),
        ("UPDATE ledger_transfers SET line = 7 WHERE entry_id = 'processed:pay_1' AND line = 3", (CHANGED,)),
        (
            "DELETE FROM ledger_transfers WHERE entry_id = 'processed:pay_1'",
            ("entry processed:pay_1 (journal line 2) is missing",),
        ),
        (
            "DELETE FROM ledger_journal WHERE number IN (2, 3)",
            (
                "journal lines 2 to 3 are missing, so line 4 proves nothing",
                "entry processed:pay_1 was slipped in",
                "entry processed:pay_2 was slipped in",
            ),
        ),
        ("DELETE FROM ledger_journal WHERE number = 4", ("entry processed:pay_3 was slipped in",)),
        (
            "UPDATE ledger_journal SET balances = '{}' WHERE number = 2",
            ("the balances of journal line 2 were changed",),
        ),
        (
            "UPDATE ledger_journal SET balances = '7' WHERE number = 4",
            ("the balances of journal line 4 were changed",),
        ),
        ("UPDATE ledger_journal SET hash = sha256('x') WHERE number = 2", (CHANGED,)),
        ("UPDATE ledger_journal SET created_at = '2020-01-01' WHERE number = 2", (CHANGED,)),
        (SLIP.format(entry="'processed:pay_x'", line=1, mode="true"), ("entry processed:pay_x was slipped in",)),
        (SLIP.format(entry="'processed:pay_x'", line=9, mode="true"), ("entry processed:pay_x was slipped in",)),
        (SLIP.format(entry="entry_id", line=9, mode="true"), (CHANGED,)),
        (SLIP.format(entry="entry_id", line=9, mode="false"), (CHANGED,)),
    ],
)
async def test_what_was_removed_or_slipped_in_is_named(
    database: Database, statement: str, problems: tuple[str, ...]
) -> None:
    account_id = await booked(database, 4)
    assert (await verified(database.pool, account_id)).problems == ()
    await tamper(database, statement)
    assert (await verified(database.pool, account_id)).problems == problems


async def test_an_entry_removed_before_it_got_its_number_is_named_and_does_not_hold_up_the_others(
    database: Database,
) -> None:
    account_id = await booked(database, 1)
    await post(database.pool, account_id, paid(1), paid(2))
    await tamper(database, "DELETE FROM ledger_transfers WHERE entry_id = 'processed:pay_1'")
    await number(database.pool, account_id)
    report = await verified(database.pool, account_id)
    assert (report.lines, report.problems) == (2, ("entry processed:pay_1 (not in the journal yet) is missing",))


async def test_books_longer_than_a_batch_are_read_to_their_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "BATCH", 2)
    account_id = await booked(database, 5)
    report = await verified(database.pool, account_id)
    assert (report.lines, report.rows, report.problems) == (5, 15, ())
    await tamper(database, "UPDATE ledger_transfers SET amount = 2 WHERE entry_id = 'processed:pay_4' AND line = 3")
    assert (await verified(database.pool, account_id)).problems == (
        "entry processed:pay_4 (journal line 5) was changed",
    )


async def test_a_noted_head_tells_of_an_end_that_was_cut_off_with_its_rows(database: Database) -> None:
    account_id = await booked(database, 3)
    noted = (await verified(database.pool, account_id)).head
    where = "WHERE entry_id = 'processed:pay_2'"
    await tamper(database, f"DELETE FROM ledger_transfers {where}", f"DELETE FROM ledger_journal {where}")
    report = await verified(database.pool, account_id)
    assert (report.lines, report.problems) == (2, ())
    assert report.head != noted
