"""The payer as the merchant describes him, known within an account and mode by the merchant's ``reference_id``."""

from kassa import ids
from kassa.providers.protocol import Value
from kassa.sealing import Root


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
    """Return the id that this customer of this account always has, known without asking the database.

    So that one statement can write an invoice and its customer, in whichever order.
    """
    return ids.derived_id("cus", tag, root.derive("customer-id", test_mode=test_mode), tag, reference_id)
