"""What is counted of a server's log."""

from tests.bench import statements
from tests.bench.statements import Statement

_LOG = """~1795570843.120|127.0.0.1(40001)|a.1|LOG:  statement: BEGIN;
~1795570843.121|127.0.0.1(40002)|b.1|LOG:  execute __asyncpg_stmt_1__: SELECT due
\tFROM work
\tWHERE due_at <= $1
~1795570843.122|127.0.0.1(40001)|a.1|LOG:  execute <unnamed>: UPDATE invoices SET status = $1
~1795570843.123|127.0.0.1(40001)|a.1|ERROR:  deadlock detected
~1795570843.124|127.0.0.1(40001)|a.1|LOG:  statement: COMMIT;
~1795570843.125||0.0|LOG:  checkpoint starting: time
~1795570843.126|127.0.0.1(40003)|c.1|LOG:  statement: SELECT set_config('jit', $1, false)
"""


def _said(*texts: str, session: str = "one") -> list[Statement]:
    return [Statement(at=0.0, port=1, session=session, text=text) for text in texts]


def test_each_statement_is_read_in_its_order_with_the_port_that_it_came_from() -> None:
    found = [(each.port, each.text) for each in statements.read(_LOG)]
    assert found == [
        (40001, "BEGIN;"),
        (40002, "SELECT due FROM work WHERE due_at <= $1"),
        (40001, "UPDATE invoices SET status = $1"),
        (40001, "COMMIT;"),
    ]
    assert statements.read(_LOG)[0].at == 1795570843.12


def test_looking_for_work_is_no_work() -> None:
    polls = statements.looking(_said("BEGIN;", "SELECT due", "COMMIT;"))
    assert statements.work(_said("SELECT due", "SELECT view"), polls) == _said("SELECT view")


def test_a_transaction_that_only_looks_is_left_out_with_its_begin_and_its_commit() -> None:
    polls = frozenset({"SELECT due"})
    looked, worked = ("BEGIN;", "SELECT due", "COMMIT;"), ("BEGIN;", "SELECT due", "UPDATE callbacks", "COMMIT;")
    assert statements.work(_said(*looked, *worked), polls) == _said(*worked)


def test_transactions_of_two_sessions_that_overlap_are_told_apart() -> None:
    working, looking = _said("BEGIN;", "UPDATE", "COMMIT;", session="a"), _said("BEGIN;", "DUE", "COMMIT;", session="b")
    mixed = [each for pair in zip(working, looking, strict=True) for each in pair]
    assert statements.work(mixed, frozenset({"DUE"})) == working


def test_counts_are_a_mean_of_the_lives() -> None:
    said = _said("BEGIN;", "UPDATE", "UPDATE", "COMMIT;", "UPDATE", "UPDATE")
    assert statements.counted(said, 2) == {"UPDATE": 2.0, "BEGIN;": 0.5, "COMMIT;": 0.5}
