"""Creating an invoice with a public key, by the public API's JSON, the HTML form or a payment link.

They share these rules (contract#public-api, contract#links) and differ only in how they read and answer.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kassa.accounts.model import Account
from kassa.customers.model import Customer
from kassa.errors import Forbidden, Unauthorized
from kassa.invoices.creating.request import CreateInvoice, CreatePublicInvoice
from kassa.invoices.creating.terms import draft
from kassa.invoices.operations.create import create
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.snapshot import Snapshot
from kassa.jsonapi import fields
from kassa.platform import Platform
from kassa.values import Value

SOURCE: Final = "platform_public_api"

_OLD_NAMES: Final = {"fields": "service_fields"}


class Order(Value, frozen=True, kw_only=True):
    """A valid order: an invoice that is ready to be written."""

    account: Account
    invoice: Invoice
    customer: Customer | None


class Placed(Value, frozen=True, kw_only=True):
    """The result of placing an order."""

    order: Order
    view: Snapshot
    """The new invoice, or the one that has its ``reference_id``."""
    created: bool

    @property
    def repeated(self) -> bool:
        """Whether it repeats the existing invoice, which its caller may see: a public key must not read others."""
        new, existing = self.order.invoice, self.view.invoice
        same = (new.service, new.currency, new.amount) == (existing.service, existing.currency, existing.amount)
        return not self.created and same


async def public_account(platform: Platform, data: Mapping[str, Any]) -> tuple[Account, bool]:
    """Return the account of a ``public_key`` and whether the key is of test mode. Raises ``Unauthorized``."""
    public_key = data.get("public_key")
    if not isinstance(public_key, str):
        raise Unauthorized
    return await platform.accounts.by_public_key(public_key)


def keyed(data: Mapping[str, Any], in_query: object) -> Mapping[str, Any]:
    """Return a body's members, with the public key that may be in the query instead (contract#authentication).

    Raises ``Unauthorized`` where both have one and they differ.
    """
    if in_query is None:
        return data
    in_body = data.get("public_key", in_query)
    if in_body != in_query:
        raise Unauthorized
    return {**data, "public_key": in_query}


async def read(platform: Platform, data: Mapping[str, Any], errors: dict[str, str]) -> Order:
    """Return a request's order; nothing is written.

    ``errors`` holds what was refused on reading the request. Raises ``Unauthorized`` for an unknown key, ``Forbidden``
    where the account takes invoices from its private API only, and ``Invalid`` with all that is wrong.
    """
    account, test_mode = await public_account(platform, data)
    if account.forbid_public_access:
        raise Forbidden("This account takes invoices from its private API only.")
    named = {new: data[old] for old, new in _OLD_NAMES.items() if old in data} | dict(data)
    asked = _asked(fields.read(CreatePublicInvoice, named, errors), test_mode=test_mode)
    invoice, customer = await draft(platform, account, asked, errors, source=SOURCE)
    return Order(account=account, invoice=invoice, customer=customer)


async def place(platform: Platform, order: Order, *, client_ip: str) -> Placed:
    """Create an order's invoice, unless one has its ``reference_id``.

    Raises ``TooMany`` where this key has created too many from this address, and what ``creation.create`` raises: after
    ``ProviderSilent`` and ``ProviderGarbled`` the invoice exists.
    """
    mode = "test" if order.invoice.test_mode else "live"
    platform.rate_limits.creations.take(order.account.account_id, mode, client_ip)
    view, created = await create(platform, order.account, order.invoice, order.customer, client_ip=client_ip)
    return Placed(order=order, view=view, created=created)


def _asked(public: CreatePublicInvoice, *, test_mode: bool) -> CreateInvoice:
    members = {field.name: getattr(public, field.name) for field in msgspec.structs.fields(CreatePublicInvoice)}
    members["reference_id"] = public.reference_id or str(uuid.uuid4())
    return CreateInvoice(**members, test_mode=test_mode)
