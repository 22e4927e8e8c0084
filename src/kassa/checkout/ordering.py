"""Creating an invoice with a public key, whatever brings it: the public API's JSON, the HTML form, a payment link.

All of them are one set of rules in one place (contract#public-api, contract#links); they differ in how they read and
how they answer.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kassa.accounts.model import Account
from kassa.customers.model import Customer
from kassa.errors import Forbidden, Unauthorized
from kassa.invoices.asked import Asked, PublicAsked
from kassa.invoices.creation import create
from kassa.invoices.model import Invoice
from kassa.invoices.queries import View
from kassa.invoices.terms import draw_up
from kassa.jsonapi import fields
from kassa.platform import Platform
from kassa.providers.protocol import Value

SOURCE: Final = "platform_public_api"

_OLD_NAMES: Final = {"fields": "service_fields"}


class Order(Value, frozen=True, kw_only=True):
    """What was asked for: an invoice that can be written as it stands."""

    account: Account
    invoice: Invoice
    customer: Customer | None


class Placed(Value, frozen=True, kw_only=True):
    """What an order has come to."""

    order: Order
    view: View
    """The new invoice, or the one that has its ``reference_id``."""
    created: bool

    @property
    def repeated(self) -> bool:
        """Whether it is an honest repeat, whose caller may see the standing invoice: a public key opens no other's."""
        asked, standing = self.order.invoice, self.view.invoice
        same = (asked.service, asked.currency, asked.amount) == (standing.service, standing.currency, standing.amount)
        return not self.created and same


async def public_account(platform: Platform, data: Mapping[str, Any]) -> tuple[Account, bool]:
    """Return the account of a ``public_key`` and whether the key is of test mode. Raises ``Unauthorized``."""
    public_key = data.get("public_key")
    if not isinstance(public_key, str):
        raise Unauthorized
    return await platform.accounts.by_public_key(public_key)


def keyed(data: Mapping[str, Any], in_query: object) -> Mapping[str, Any]:
    """Return what a body says, with the public key that may stand in the query as well (contract#authentication).

    Raises ``Unauthorized`` where both have one and they differ: whose order it is cannot be told.
    """
    if in_query is None:
        return data
    in_body = data.get("public_key", in_query)
    if in_body != in_query:
        raise Unauthorized
    return {**data, "public_key": in_query}


async def read(platform: Platform, data: Mapping[str, Any], errors: dict[str, str]) -> Order:
    """Return what a request asks for; nothing is written.

    ``errors`` holds what reading the request has refused already. Raises ``Unauthorized`` for a key that is none,
    ``Forbidden`` where the account takes invoices from its private API alone, and ``Invalid`` with all that is wrong.
    """
    account, test_mode = await public_account(platform, data)
    if account.forbid_public_access:
        raise Forbidden("This account takes invoices from its private API only.")
    named = {new: data[old] for old, new in _OLD_NAMES.items() if old in data} | dict(data)
    asked = _asked(fields.read(PublicAsked, named, errors), test_mode=test_mode)
    invoice, customer = await draw_up(platform, account, asked, errors, source=SOURCE)
    return Order(account=account, invoice=invoice, customer=customer)


async def place(platform: Platform, order: Order, *, client_ip: str) -> Placed:
    """Create the invoice that an order asks for, unless one has its ``reference_id``.

    Raises ``TooMany`` where this key has made too many from this address, and what ``creation.create`` raises: after
    ``ProviderSilent`` and ``ProviderGarbled`` the invoice exists.
    """
    mode = "test" if order.invoice.test_mode else "live"
    platform.paces.creations.take(order.account.account_id, mode, client_ip)
    view, created = await create(platform, order.account, order.invoice, order.customer, client_ip=client_ip)
    return Placed(order=order, view=view, created=created)


def _asked(public: PublicAsked, *, test_mode: bool) -> Asked:
    members = {field.name: getattr(public, field.name) for field in msgspec.structs.fields(PublicAsked)}
    members["reference_id"] = public.reference_id or str(uuid.uuid4())
    return Asked(**members, test_mode=test_mode)
