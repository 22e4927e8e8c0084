"""Writes the diagrams of ``docs/states.md`` from the tables of transitions that the code walks.

    python -m tests.support.states_page

A test holds that the page is what this makes of the present tables.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from kassa.invoices.rules import attempt, invoice
from kassa.invoices.rules.invoice import OPEN, Status
from kassa.invoices.rules.records import DISPUTE_TRANSITIONS, REFUND_TRANSITIONS

PAGE: Final = Path(__file__).parents[2] / "docs" / "states.md"
BEGIN: Final = "<!-- from the code: python -m tests.support.states_page -->"
END: Final = "<!-- the end of what is from the code -->"

_Status = TypeVar("_Status", bound=StrEnum)

# In these no money has been kept yet: the first diagram is about being paid, the second about what follows.
_BEFORE_PAID: Final = frozenset(
    {*OPEN, Status.PROCESS_ERROR, Status.PROCESS_FAILED, Status.VERIFIED, Status.VERIFY_FAILED}
)


def page(present: str) -> str:
    """Return the page with the part between the marks made anew."""
    head, _, rest = present.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{made()}\n{END}{tail}"


def made() -> str:
    """Return the part that comes from the code: a heading, a diagram and a table for each kind of status."""
    paying = {status: after for status, after in invoice.TRANSITIONS.items() if status in _BEFORE_PAID}
    returning = {status: after for status, after in invoice.TRANSITIONS.items() if status not in _BEFORE_PAID}
    parts = (
        _part("An invoice until it is paid", paying, begins=(Status.CREATED, Status.PROCESS_PENDING)),
        _part("An invoice after it was paid", returning, begins=()),
        _part(
            "An attempt",
            attempt.TRANSITIONS,
            begins=(attempt.PaymentStatus.INVOKE_PENDING, attempt.PaymentStatus.PROCESS_PENDING),
        ),
        _part("A refund", REFUND_TRANSITIONS, begins=tuple(REFUND_TRANSITIONS)[:1]),
        _part("A dispute", DISPUTE_TRANSITIONS, begins=tuple(DISPUTE_TRANSITIONS)),
    )
    return "\n".join(line for part in parts for line in part)


def _part(title: str, table: Mapping[_Status, frozenset[_Status]], *, begins: tuple[_Status, ...]) -> Iterator[str]:
    yield from (f"## {title}", "", "```mermaid", "stateDiagram-v2")
    yield from (f"    [*] --> {status}" for status in begins)
    for status, after in table.items():
        yield from (f"    {status} --> {each}" for each in sorted(after))
    yield from ("```", "", "| from | to |", "|---|---|")
    for status, after in table.items():
        yield f"| `{status}` | {', '.join(f'`{each}`' for each in sorted(after)) or '–'} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
