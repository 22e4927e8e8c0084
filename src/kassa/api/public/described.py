"""The descriptions of the public API's routes."""

from http import HTTPStatus
from typing import Final

from kassa.api.description import examples
from kassa.api.description.operation import FORM_TYPE, HTML_TYPE, Answer, Caller, Operation, Parameter, RequestBody
from kassa.api.description.texts import PUBLIC_KEY
from kassa.invoices.creating.request import CreatePublicInvoice
from kassa.invoices.document import wire

CREATE_INVOICE: Final = Operation(
    method="POST",
    caller=Caller.PUBLIC,
    summary="Create an invoice",
    description="Creates an invoice for an order. Send the payer to ``active_payment.payload.action``.",
    parameters=(PUBLIC_KEY,),
    body=RequestBody(type=CreatePublicInvoice, public_key=True, example=examples.load("public_request")),
    answers=(
        Answer(
            type=wire.PublicDocument,
            status=HTTPStatus.CREATED,
            description="The new invoice.",
            example=examples.load("public_created"),
        ),
    ),
    conflict=wire.PublicInvoice,
    on_conflict="An invoice with this ``reference_id`` already exists; ``data`` carries it only if service, currency"
    " and amount are the same, because a public key must not read other invoices.",
    errors=(
        HTTPStatus.FORBIDDEN,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.GATEWAY_TIMEOUT,
    ),
)

PROCESS: Final = Operation(
    method="POST",
    caller=Caller.PUBLIC,
    summary="Order with an HTML form",
    description="For a form on the shop's page, which the payer's browser submits. Nested members are written in"
    " brackets, at any depth: ``customer[address][city]``. An empty value counts as absent. Members may also be sent"
    " in the query; the form's values win. With ``cpi``, the id of an existing invoice, no other member is needed."
    "\n\nErrors are shown to the payer on a page in the language of ``locale``, or of the browser.",
    body=RequestBody(
        type=CreatePublicInvoice, public_key=True, media_types=(FORM_TYPE,), example=examples.load("form_request")
    ),
    answers=(
        Answer(
            type=None,
            media_type=HTML_TYPE,
            description="A page that submits a form to a provider which expects a POST.",
        ),
        Answer(
            type=None,
            media_type=None,
            status=HTTPStatus.SEE_OTHER,
            description="To the page where the order is paid; an exact repeat leads to the page of the existing"
            " invoice.",
        ),
    ),
    errors=(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS),
    pages=True,
)

READ_INVOICE: Final = Operation(
    method="GET",
    caller=Caller.PUBLIC,
    summary="Read an invoice",
    description="The id is the only credential, so the answer never holds details of payer or card.",
    parameters=(
        Parameter(
            name="invoice_id",
            place="path",
            description="The invoice's id.",
            schema={"type": "string", "minLength": 1},
            example="cpi_QGcJxoBxnYStkuvN",
        ),
        Parameter(
            name="public_key", description="Optional; if sent, it must be the account's key of the invoice's mode."
        ),
    ),
    answers=(Answer(type=wire.PublicDocument, description="The invoice.", example=examples.load("public_created")),),
    errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS),
)
