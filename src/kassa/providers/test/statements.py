"""The bank's statement, and what its lines mean in Kassa's terms."""

from datetime import datetime
from typing import Annotated, Literal, assert_never

from msgspec import Meta

from kassa.outbound import Answer
from kassa.providers.protocol import Movement, Statement, StatementLine
from kassa.providers.test.wire import Name, read
from kassa.values import Value


class Line(Value, frozen=True, kw_only=True):
    """A movement in the bank's books."""

    kind: Literal["PURCHASE", "REFUND", "REFUND_REVERSAL", "CHARGE_BACK", "CHARGE_BACK_REVERSAL"]
    order: Name
    refund: Name | None
    transaction: Name
    amount: Annotated[int, Meta(gt=0)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
    booked_at: Annotated[datetime, Meta(tz=True)]
    charged_back: Annotated[int, Meta(gt=0)] | None = None


class StatementAnswer(Value, frozen=True, kw_only=True):
    """A page of the bank's books."""

    lines: list[Line]
    next: Name | None


def statement(answer: Answer) -> Statement:
    """Return a page of the bank's books. Raises ``ProviderGarbled``."""
    page = read(answer, StatementAnswer)
    return Statement(lines=tuple(_movement(line) for line in page.lines), next=page.next)


def _movement(line: Line) -> StatementLine:
    movement: Movement
    match line.kind:
        case "PURCHASE":
            movement, ref = "purchase", line.order
        case "REFUND":
            movement, ref = "refund", line.refund or ""
        case "REFUND_REVERSAL":
            movement, ref = "refund_reversal", line.refund or ""
        case "CHARGE_BACK":
            movement, ref = "charge_back", f"{line.order}:{line.charged_back}"
        case "CHARGE_BACK_REVERSAL":
            movement, ref = "chargeback_reversal", f"{line.order}:{line.charged_back}"
        case _:
            assert_never(line.kind)
    return StatementLine(
        movement=movement,
        ref=ref,
        payment_id=line.order,
        external_id=line.transaction,
        amount=line.amount,
        currency=line.currency,
        booked_at=line.booked_at,
    )
