"""The tables of the documents say what the code says."""

import re
from typing import Final

from kassa import money
from kassa.bank import cards, faults
from kassa.db import cluster
from kassa.invoices.document.statuses import PaymentStatus, Status
from kassa.invoices.rules.invoice import FINAL, REJECTED
from kassa.invoices.rules.records import DisputeStatus, RefundStatus
from kassa.providers.test.wire import RESOLUTIONS
from tests.support.languages import ROOT

CONTRACT: Final = (ROOT / "docs" / "contract.md").read_text()
TESTING: Final = (ROOT / "docs" / "guides" / "testing.md").read_text()


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without code's quotes."""
    _, _, below = page.partition(f" {heading}\n")
    table = re.search(r"^\|.*\n\|[-:| ]+\n((?:\|.*\n)+)", below, re.MULTILINE)
    assert table, heading
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in table[1].splitlines()]


def words(table: list[list[str]]) -> list[str]:
    return [word for row in table for word in row[0].split(", ")]


def test_each_status_is_explained_and_marked_where_it_is_final() -> None:
    table = rows(CONTRACT, "Statuses")
    assert sorted(words(table)) == sorted(Status)
    assert {word for row in table if row[1] == "●" for word in row[0].split(", ")} == {*FINAL, "expired", "terminated"}
    assert all(len(row) == 4 and all(row[2:]) for row in table)


def test_each_status_of_an_attempt_is_explained() -> None:
    assert sorted(words(rows(CONTRACT, "Statuses of an attempt"))) == sorted(PaymentStatus)


def test_each_status_of_refunds_and_disputes_is_explained() -> None:
    assert words(rows(CONTRACT, "Statuses of a refund")) == list(RefundStatus)
    assert words(rows(CONTRACT, "Disputes")) == list(DisputeStatus)


def test_each_resolution_is_explained_once() -> None:
    explained = words(rows(CONTRACT, "Resolutions"))
    assert len(explained) == len(set(explained))
    sources = "\n".join(path.read_text() for path in (ROOT / "src" / "kassa").rglob("*.py"))
    shown = (ROOT / "src" / "kassa" / "pages" / "reasons.py").read_text()
    used = {
        *RESOLUTIONS.values(),
        REJECTED,
        *re.findall(r'"([a-z]+(?:_[a-z0-9]+)+)"', shown),
        *re.findall(r'\bresolution="([a-z_]+)"', sources),
    }
    assert used - set(explained) == set()


def test_the_test_cards_are_those_of_the_bank() -> None:
    expected = [[card.number, "yes" if card.secure else "no", outcome(card)] for card in cards.TEST_CARDS]
    assert rows(CONTRACT, "Test cards") == expected
    assert [[row[0].replace(" ", ""), *row[1:]] for row in rows(TESTING, "Cards")] == expected


def outcome(card: cards.TestCard) -> str:
    return "processed" if card.good else "process_failed"


def test_the_reasons_for_a_decline_are_those_of_the_bank() -> None:
    known = [[expiry, RESOLUTIONS[code]] for expiry, code in cards.REFUSALS.items()]
    assert rows(TESTING, "Reasons for a decline") == [*known, ["any other", RESOLUTIONS[cards.INVALID_RESPONSE]]]


def test_the_faults_are_those_of_the_bank() -> None:
    triggers = zip(faults.EXPIRIES.items(), faults.AMOUNTS, strict=True)
    assert rows(TESTING, "Faults of the bank") == [
        [fault, expiry, str(money.to_decimal(amount, "USD")), faults.DESCRIPTIONS[fault]]
        for (expiry, fault), amount in triggers
    ]


def test_the_operator_is_given_the_roles_and_database_that_kassa_makes_for_itself() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    assert f"\nCREATE ROLE {cluster.OWNER} LOGIN CREATEROLE PASSWORD '" in page
    assert f"\nCREATE DATABASE {cluster.DATABASE} OWNER {cluster.OWNER};\n" in page
