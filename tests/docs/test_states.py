"""The diagrams say what the tables of transitions say, and lead everywhere."""

import re

from kassa.invoices.rules.invoice import Status
from kassa.invoices.rules.records import DISPUTE_TRANSITIONS, REFUND_TRANSITIONS, DisputeStatus, RefundStatus
from tests.support.states_page import PAGE, page


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "python -m tests.support.states_page"


def test_every_status_of_the_invoice_is_drawn_and_reached() -> None:
    reached = set(re.findall(r"--> (\w+)", PAGE.read_text()))
    assert {*Status, *RefundStatus, *DisputeStatus} - reached == set()


def test_the_tables_name_each_status_once() -> None:
    assert set(REFUND_TRANSITIONS) == set(RefundStatus)
    assert set(DISPUTE_TRANSITIONS) == set(DisputeStatus)
