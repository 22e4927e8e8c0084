"""How a repeated creation differs from the invoice that stands: told in the 409's ``detail``, never refused apart."""

from typing import Final

from kassa.invoices.model import Invoice

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


def differences(asked: Invoice, standing: Invoice) -> str:
    """Return the 409's sentence, naming the members that differ."""
    names = [_WIRE_NAMES.get(name, name) for name in _COMPARED if getattr(asked, name) != getattr(standing, name)]
    sentence = "An invoice with this reference_id exists already; it is in data."
    return f"{sentence} It differs in: {', '.join(names)}." if names else sentence
