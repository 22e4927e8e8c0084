"""Payers as the merchant describes them, known within an account and mode by the merchant's ``reference_id``."""

from kassa import ids
from kassa.sealing import Root
from kassa.values import Value


class Customer(Value, frozen=True, kw_only=True):
    """One payer. ``metadata`` and ``address`` are JSON text, kept as they came."""

    customer_id: str
    reference_id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    date_of_birth: str | None = None
    individual_tax_id: str | None = None
    metadata: str | None = None
    address: str | None = None


def customer_id(root: Root, *, tag: str, test_mode: bool, reference_id: str) -> str:
    """Return the id of this customer of this account, derived without a query.

    So one statement can write an invoice and its customer, in any order.
    """
    return ids.derived_id("cus", tag, root.derive("customer-id", test_mode=test_mode), tag, reference_id)
