"""The private API's invoices: create, read one, list (contract#private-api)."""

from http import HTTPStatus

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from kassa import ids
from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.differences import differences
from kassa.api.idempotent import claim_of
from kassa.api.private import listing
from kassa.errors import NotFound
from kassa.invoices.creating.request import CreateInvoice
from kassa.invoices.creating.terms import PRIVATE_SOURCE, draft
from kassa.invoices.document import building as document
from kassa.invoices.listing import reading
from kassa.invoices.listing.document import listed
from kassa.invoices.operations.create import create
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots as queries
from kassa.jsonapi import fields
from kassa.jsonapi.answers import answer, conflict
from kassa.jsonapi.body import attributes, read_json
from kassa.platform import Platform


class Invoices:
    """Handlers of ``/payment-invoices``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def create(self, request: Request) -> Response:
        """POST: 201 with the new invoice, or 409 with the one that has this ``reference_id``."""
        account = await auth.private_account(self._platform, request)
        claim = claim_of(request)
        if claim is not None and claim.resumed and (existing := await self._find(claim.named("cpi"), account)):
            return answer(document.private(self._platform, account, existing), HTTPStatus.CREATED)
        errors: dict[str, str] = {}
        data = await read_json(request, errors, inside="data.attributes")
        asked = fields.read(CreateInvoice, attributes(data, errors, kind="payment-invoices"), errors)
        invoice, customer = await draft(self._platform, account, asked, errors, source=PRIVATE_SOURCE)
        if claim is not None:
            invoice = replace(invoice, invoice_id=claim.named("cpi"))
        view, created = await create(self._platform, account, invoice, customer, client_ip=auth.client_ip(request))
        found = document.private(self._platform, account, view)
        if created:
            return answer(found, HTTPStatus.CREATED)
        return conflict(differences(invoice, view.invoice), found.data)

    async def read(self, request: Request) -> Response:
        """GET by id; ``?include=customer`` adds the customer."""
        account = await auth.private_account(self._platform, request)
        view = await self._find(request.path_params["invoice_id"], account)
        if view is None:
            raise NotFound
        include = listing.includes_customer(request.query_params)
        return answer(document.private(self._platform, account, view, include_customer=include))

    async def page(self, request: Request) -> Response:
        """GET: a page of the list, newest first; 404 for a ``filter[reference_id]`` that hits nothing."""
        account = await auth.private_account(self._platform, request)
        query = listing.read(request.query_params, tag=account.tag)
        found = await reading.read(self._platform, query.filters, query.page, account_id=account.account_id)
        return answer(
            listed(
                self._platform,
                account,
                found,
                size=query.page.size,
                kept=query.kept,
                include_customer=query.include_customer,
            )
        )

    async def _find(self, invoice_id: str, account: Account) -> Snapshot | None:
        if ids.tag_of(invoice_id, "cpi") != account.tag:
            return None
        return await queries.by_id(self._platform.pool, invoice_id, account_id=account.account_id)
