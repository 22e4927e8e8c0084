"""How a repeated creation differs from the existing invoice, for the 409's ``detail``."""

from typing import Final

from kassa.invoices.rules.invoice import Invoice

_COMPARED: Final = (
    "service",
    "currency",
    "amount",
    "payment_flow",
    "description",
    "descriptor",
    "metadata",
    "service_fields",
    "gateway_options",
    "customer_id",
    "callback_url",
    "return_url",
    "return_urls",
)
_WIRE_NAMES: Final = {"payment_flow": "flow", "customer_id": "customer"}


def differences(new: Invoice, existing: Invoice) -> str:
    """Return the 409's sentence, naming the members that differ."""
    names = [_WIRE_NAMES.get(name, name) for name in _COMPARED if getattr(new, name) != getattr(existing, name)]
    sentence = "An invoice with this reference_id exists already; it is in data."
    return f"{sentence} It differs in: {', '.join(names)}." if names else sentence
