"""What a merchant asks for when refunding an invoice: the members and their limits (contract#private-api)."""

from decimal import Decimal
from typing import ClassVar

from kassa.invoices.creating.request import Reference, Text
from kassa.values import Value


class RefundRequest(Value, frozen=True, kw_only=True):
    """Money to send back to the payer."""

    REQUIRED: ClassVar = frozenset({"reference_id"})

    reference_id: Reference | None = None
    """The merchant's own id of the refund; it names one refund for ever."""
    amount: Decimal | None = None
    """In the invoice's currency; by default everything that has not gone back yet."""
    description: Text | None = None
    """The merchant's own note; returned in ``refunds``."""
