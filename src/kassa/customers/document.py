"""A customer as a JSON:API resource, for ``included`` (contract#private-api)."""

from typing import Annotated

import msgspec

from kassa.customers.model import Customer

Json = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": ["object", "array"]})]
"""A map as the merchant sent it; ``[]`` where it is empty."""


class CustomerAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """The merchant's description of the payer."""

    reference_id: str
    name: str | None
    email: str | None
    phone: str | None
    date_of_birth: str | None
    individual_tax_id: str | None
    metadata: Json
    address: Json


class CustomerResource(msgspec.Struct, frozen=True, kw_only=True):
    """A customer, included in an invoice's document."""

    type: str = "customers"
    id: str
    attributes: CustomerAttributes


def resource(customer: Customer) -> CustomerResource:
    """Return a customer as the wire shows it; an empty map is ``[]`` as everywhere (contract#formats)."""
    return CustomerResource(
        id=customer.customer_id,
        attributes=CustomerAttributes(
            reference_id=customer.reference_id,
            name=customer.name,
            email=customer.email,
            phone=customer.phone,
            date_of_birth=customer.date_of_birth,
            individual_tax_id=customer.individual_tax_id,
            metadata=json_map(customer.metadata),
            address=json_map(customer.address),
        ),
    )


def json_map(text: str | None) -> msgspec.Raw:
    """Return stored JSON text for the wire, where the empty map is written ``[]`` (the family's servers are PHP)."""
    return msgspec.Raw(b"[]" if text is None or text == "{}" else text.encode())
