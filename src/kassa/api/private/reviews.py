"""The private API's reviews of held payments: approve or reject, where the account may (docs/moderation.md)."""

from http import HTTPStatus
from typing import Annotated, Final

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from kassa import ids
from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.description import examples
from kassa.api.description.operation import Answer, Caller, Operation, RequestBody
from kassa.api.idempotent import claim_of
from kassa.api.private.described import INVOICE_ID
from kassa.errors import Forbidden, Invalid, NotApprovable, NotFound, NothingToDecide
from kassa.invoices.document import building as document
from kassa.invoices.document import wire
from kassa.invoices.operations.review import decide
from kassa.invoices.tables import snapshots as queries
from kassa.jsonapi import fields
from kassa.jsonapi.answers import answer, conflict
from kassa.jsonapi.body import attributes, read_json
from kassa.moderation import queries as moderation
from kassa.moderation.model import Verdict
from kassa.platform import Platform
from kassa.values import Value

BY: Final = "api"


class ReviewRequest(Value, frozen=True, kw_only=True):
    """The body of a review, which may be empty."""

    note: Annotated[str, Meta(max_length=2000)] | None = None
    """Why; kept with the review."""


def _operation(summary: str, description: str) -> Operation:
    limits = "Only for accounts whose operator has turned on the option ``moderation_by_api``; other accounts get 403."
    return Operation(
        method="POST",
        caller=Caller.PRIVATE,
        summary=summary,
        description=f"{description} {limits}",
        parameters=(INVOICE_ID,),
        body=RequestBody(type=ReviewRequest, resource="decisions", may_be_empty=True),
        answers=(Answer(type=wire.Document, description="The invoice.", example=examples.load("private_processed")),),
        conflict=wire.Resource,
        on_conflict="This invoice has no payment that awaits a review, or it cannot be approved; ``data`` is the"
        " invoice as it is now.",
        errors=(HTTPStatus.NOT_FOUND,),
    )


APPROVE: Final = _operation(
    "Approve a held payment",
    "The invoice becomes ``processed`` with the amount taken, or ``partially_processed`` if that is less than the"
    " amount due. Money in another currency cannot be approved (409).",
)
REJECT: Final = _operation(
    "Reject a held payment", "The invoice becomes ``process_failed``, and the money goes back to the payer."
)


class Reviews:
    """Handlers of ``/payment-invoices/{id}/approve`` and ``…/reject``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def approve(self, request: Request) -> Response:
        """POST: 200 with the invoice, processed."""
        return await self._review(request, Verdict.APPROVED)

    async def reject(self, request: Request) -> Response:
        """POST: 200 with the invoice, failed."""
        return await self._review(request, Verdict.REJECTED)

    async def _review(self, request: Request, verdict: Verdict) -> Response:
        account = await auth.private_account(self._platform, request)
        if not account.moderation_by_api:
            raise Forbidden("Only the operator reviews this account's payments.")
        invoice = await self._document(request, account)
        claim = claim_of(request)
        if claim is not None and claim.resumed and await self._was_reviewed(claim.named("dec"), account):
            return answer(invoice)
        errors: dict[str, str] = {}
        data = await read_json(request, errors, inside="data.attributes", may_be_empty=True)
        members = attributes(data, errors, kind="decisions") if data else {}
        review = fields.read(ReviewRequest, members, errors)
        if errors:
            raise Invalid(errors)
        try:
            await decide(
                self._platform,
                account,
                invoice.data.id,
                verdict,
                by=BY,
                note=review.note,
                decision_id=claim.named("dec") if claim else None,
            )
        except (NothingToDecide, NotApprovable) as error:
            return conflict(error.detail, (await self._document(request, account)).data)
        return answer(await self._document(request, account))

    async def _was_reviewed(self, decision_id: str, account: Account) -> bool:
        return await moderation.is_decided(self._platform.pool, decision_id, account_id=account.account_id)

    async def _document(self, request: Request, account: Account) -> wire.Document:
        """Return the invoice that the request is about, as it is now. Raises ``NotFound``, also for another's."""
        invoice_id = request.path_params["invoice_id"]
        if ids.tag_of(invoice_id, "cpi") != account.tag:
            raise NotFound
        view = await queries.by_id(self._platform.pool, invoice_id, account_id=account.account_id)
        if view is None:
            raise NotFound
        return document.private(self._platform, account, view)
