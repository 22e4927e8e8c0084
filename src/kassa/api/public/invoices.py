"""The public API's invoices: created by browsers with a public key, and read by id alone.

See contract#public-api.
"""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from kassa import ids
from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.differences import differences
from kassa.api.query import once
from kassa.checkout import ordering
from kassa.errors import NotFound, Unauthorized
from kassa.invoices.document import building as document
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots as queries
from kassa.jsonapi.answers import answer, conflict
from kassa.jsonapi.body import read_json
from kassa.platform import Platform


class Invoices:
    """Handlers of ``/public-api/payment-invoices``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def create(self, request: Request) -> Response:
        """POST: 201 with the new invoice; 409 shows the existing one only to an exact repeat."""
        errors: dict[str, str] = {}
        data = ordering.keyed(await read_json(request, errors), once(request, "public_key"))
        order = await ordering.read(self._platform, data, errors)
        placed = await ordering.place(self._platform, order, client_ip=auth.client_ip(request))
        found = document.public(self._platform, order.account, placed.view)
        if placed.created:
            return answer(found, HTTPStatus.CREATED)
        if not placed.repeated:
            return conflict("An invoice with this reference_id exists already.", None)
        return conflict(differences(order.invoice, placed.view.invoice), found.data)

    async def read(self, request: Request) -> Response:
        """GET by id, without a key; a ``public_key`` that is sent must be the account's of the invoice's mode."""
        with self._platform.rate_limits.misses.guessing(auth.client_ip(request)):
            account, view = await self._find(request.path_params["invoice_id"])
        if public_key := once(request, "public_key"):
            owner, test_mode = await self._platform.accounts.by_public_key(public_key)
            if owner.account_id != account.account_id or test_mode != view.invoice.test_mode:
                raise Unauthorized
        return answer(document.public(self._platform, account, view))

    async def _find(self, invoice_id: str) -> tuple[Account, Snapshot]:
        tag = ids.tag_of(invoice_id, "cpi")
        if tag is None:
            raise NotFound
        account = await self._platform.accounts.by_tag(tag)
        view = await queries.by_id(self._platform.pool, invoice_id, account_id=account.account_id)
        if view is None:
            raise NotFound
        return account, view
