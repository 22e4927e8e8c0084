"""The private API's refunds (contract#private-api)."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kassa import ids, money
from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.description import examples
from kassa.api.description.operation import Answer, Caller, Operation, RequestBody
from kassa.api.idempotent import claim_of
from kassa.api.private.described import INVOICE_ID
from kassa.errors import Invalid, NotFound
from kassa.invoices.creating.refund_request import RefundRequest
from kassa.invoices.document import building as document
from kassa.invoices.document import wire
from kassa.invoices.operations import refund as operations
from kassa.invoices.operations.refund import send
from kassa.invoices.rules.records import Refund
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import refunds as refund_queries
from kassa.invoices.tables import snapshots as queries
from kassa.jsonapi import fields
from kassa.jsonapi.answers import answer, conflict
from kassa.jsonapi.body import attributes, read_json
from kassa.platform import Platform

REFUND_INVOICE: Final = Operation(
    method="POST",
    caller=Caller.PRIVATE,
    summary="Refund an invoice",
    description="Refunds the whole invoice or a part of it, as often as something is left. A ``reference_id`` names one"
    " refund for ever. If the status is ``refund_pending``, or ``refunding`` because other refunds are in progress, a"
    " callback brings the outcome.",
    parameters=(INVOICE_ID,),
    body=RequestBody(type=RefundRequest, resource="refund", example=examples.load("refund_request")),
    answers=(
        Answer(
            type=wire.Document,
            description="The invoice.",
            example=examples.refunded("private_processed", "refund_request"),
        ),
    ),
    conflict=wire.Resource,
    on_conflict="A refund with this ``reference_id`` already exists; ``data`` is its invoice, and ``detail`` names"
    " the members that differ.",
    errors=(HTTPStatus.NOT_FOUND,),
)


class Refunds:
    """Handler of ``/payment-invoices/{invoice_id}/refund``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def create(self, request: Request) -> Response:
        """POST: 200 with the invoice, or 409 with the one whose refund has this ``reference_id``."""
        account = await auth.private_account(self._platform, request)
        claim = claim_of(request)
        refund_id = claim.named("ref") if claim else ids.new_id("ref", account.tag)
        if claim is not None and claim.resumed and (existing := await self._existing(refund_id, account)):
            return self._answer(account, existing)
        view = await self._find(request.path_params["invoice_id"], account)
        errors: dict[str, str] = {}
        data = await read_json(request, errors, inside="data.attributes")
        asked = fields.read(RefundRequest, attributes(data, errors, kind="refund"), errors)
        if errors:
            raise Invalid(errors)
        refund, created = await operations.request(self._platform, account, view, asked, refund_id=refund_id)
        if created:
            return self._answer(account, await send(self._platform, refund))
        found = document.private(self._platform, account, await self._find(refund.invoice_id, account))
        return conflict(differences(view, asked, refund), found.data)

    def _answer(self, account: Account, view: Snapshot) -> Response:
        return answer(document.private(self._platform, account, view))

    async def _existing(self, refund_id: str, account: Account) -> Snapshot | None:
        """Return the invoice of a refund that an abandoned request began."""
        refund = await refund_queries.by_id(self._platform.pool, refund_id, account_id=account.account_id)
        return None if refund is None else await self._find(refund.invoice_id, account)

    async def _find(self, invoice_id: str, account: Account) -> Snapshot:
        view = None
        if ids.tag_of(invoice_id, "cpi") == account.tag:
            view = await queries.by_id(self._platform.pool, invoice_id, account_id=account.account_id)
        if view is None:
            raise NotFound
        return view


def differences(view: Snapshot, asked: RefundRequest, existing: Refund) -> str:
    """Return the 409's sentence, naming the members in which a repeat differs from the existing refund.

    An amount that is left out never differs.
    """
    amount = money.to_decimal(existing.amount, existing.currency)
    differing = {
        "invoice": existing.invoice_id != view.invoice.invoice_id,
        "amount": asked.amount is not None and asked.amount != amount,
        "description": asked.description != existing.description,
    }
    names = [name for name, differs in differing.items() if differs]
    sentence = "A refund with this reference_id exists already; its invoice is in data."
    return f"{sentence} It differs in: {', '.join(names)}." if names else sentence
