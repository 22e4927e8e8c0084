"""The descriptions of the private API's routes."""

from http import HTTPStatus
from typing import Any, Final

from kassa.api.description import examples
from kassa.api.description.operation import Answer, Caller, Operation, Parameter, RequestBody
from kassa.invoices.creating.request import CreateInvoice
from kassa.invoices.document import wire
from kassa.invoices.listing.document import ListDocument
from kassa.invoices.listing.model import SIZE_DEFAULT, SIZE_MAX
from kassa.invoices.rules.invoice import Status

INVOICE_ID: Final = Parameter(
    name="invoice_id",
    place="path",
    description="The invoice's id.",
    schema={"type": "string", "minLength": 1},
    example="cpi_HeSWMM9LvQonCcQc",
)
INCLUDE: Final = Parameter(
    name="include", description="``customer`` adds ``included`` with the customer.", example="customer"
)

CREATE_INVOICE: Final = Operation(
    method="POST",
    caller=Caller.PRIVATE,
    summary="Create an invoice",
    description="Creates an invoice for an order. Send the payer to ``flow_data.action`` or to ``hpp_url``. The first"
    " callback is queued together with the invoice.",
    body=RequestBody(type=CreateInvoice, resource="payment-invoices", example=examples.load("private_request")),
    answers=(
        Answer(
            type=wire.Document,
            status=HTTPStatus.CREATED,
            description="The new invoice.",
            example=examples.load("private_created"),
        ),
    ),
    conflict=wire.Resource,
    on_conflict="An invoice with this ``reference_id`` already exists; it is in ``data``, and ``detail`` names the"
    " members that differ.",
    errors=(HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT),
)

READ_INVOICE: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Read an invoice",
    parameters=(INVOICE_ID, INCLUDE),
    answers=(Answer(type=wire.Document, description="The invoice.", example=examples.load("private_processed")),),
    errors=(HTTPStatus.NOT_FOUND,),
)


def _filter(name: str, description: str, **schema: Any) -> Parameter:
    return Parameter(name=f"filter{name}", description=description, schema=schema or {"type": "string"})


# An empty value counts as an absent one.
_MOMENT: Final = {"type": "string", "pattern": r"^(\d{1,11}|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*|)$"}
_CURSOR: Final = {"type": "string", "pattern": "^(cpi_[A-Za-z0-9]{16}|)$"}

LIST_INVOICES: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="List invoices, newest first",
    description="``links.next`` leads to older invoices. A ``filter[reference_id]`` without a match answers 404: no"
    " such invoice exists, and it is safe to create it. Unknown and repeated filters are refused with 400.",
    parameters=(
        _filter("[reference_id]", "The merchant's own id of the invoice.", type="string", minLength=1),
        _filter("[status]", "The invoice's status.", enum=[status.value for status in Status]),
        _filter("[resolution]", "The reason for the status."),
        _filter("[moderation_required]", "Whether it awaits a person's review.", type="boolean"),
        _filter("[service]", "A service's code."),
        _filter("[currency]", "ISO 4217."),
        _filter("[test_mode]", "One mode only. May also be written ``test_mode``.", type="boolean"),
        _filter("[created][from]", "Created at or after: unix seconds or ISO 8601.", **_MOMENT),
        _filter("[created][to]", "Created at or before.", **_MOMENT),
        _filter("[updated][from]", "Changed at or after.", **_MOMENT),
        _filter("[updated][to]", "Changed at or before.", **_MOMENT),
        Parameter(name="page[before]", description="Only invoices older than the one with this id.", schema=_CURSOR),
        Parameter(
            name="page[after]",
            description="Only invoices newer than the one with this id; not together with ``page[before]``.",
            schema=_CURSOR,
        ),
        Parameter(
            name="page[size]",
            description="Invoices on a page.",
            schema={"type": "integer", "minimum": 1, "maximum": SIZE_MAX, "default": SIZE_DEFAULT},
        ),
        INCLUDE,
    ),
    answers=(Answer(type=ListDocument, description="A page of invoices.", example=examples.page("private_processed")),),
    errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)
