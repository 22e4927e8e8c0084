"""What the private API says of its routes."""

from http import HTTPStatus
from typing import Any, Final

from kassa.api.description import examples
from kassa.api.description.operation import Asks, Caller, Gives, Operation, Parameter
from kassa.invoices import wire
from kassa.invoices.asked import Asked
from kassa.invoices.listing.document import ListDocument
from kassa.invoices.listing.model import SIZE_DEFAULT, SIZE_MAX
from kassa.invoices.model import Status

INVOICE_ID: Final = Parameter(
    name="invoice_id",
    place="path",
    words="The invoice's id.",
    schema={"type": "string", "minLength": 1},
    example="cpi_HeSWMM9LvQonCcQc",
)
INCLUDE: Final = Parameter(
    name="include", words="``customer`` adds ``included`` with the customer.", example="customer"
)

CREATE_INVOICE: Final = Operation(
    method="POST",
    caller=Caller.PRIVATE,
    summary="Create an invoice",
    words="Creates an invoice for an order. Send the payer to ``flow_data.action`` or to ``hpp_url``. The first"
    " callback is queued together with the invoice.",
    asks=Asks(type=Asked, resource="payment-invoices", example=examples.load("private_request")),
    gives=(
        Gives(
            type=wire.Document,
            status=HTTPStatus.CREATED,
            words="The new invoice.",
            example=examples.load("private_created"),
        ),
    ),
    conflict=wire.Resource,
    conflict_words="An invoice with this ``reference_id`` already exists; it is in ``data``, and ``detail`` names the"
    " members that differ.",
    refuses=(HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT),
)

READ_INVOICE: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Read an invoice",
    parameters=(INVOICE_ID, INCLUDE),
    gives=(Gives(type=wire.Document, words="The invoice.", example=examples.load("private_processed")),),
    refuses=(HTTPStatus.NOT_FOUND,),
)


def _filter(name: str, words: str, **schema: Any) -> Parameter:
    return Parameter(name=f"filter{name}", words=words, schema=schema or {"type": "string"})


# An empty value counts as an absent one.
_MOMENT: Final = {"type": "string", "pattern": r"^(\d{1,11}|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*|)$"}
_CURSOR: Final = {"type": "string", "pattern": "^(cpi_[A-Za-z0-9]{16}|)$"}

LIST_INVOICES: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="List invoices, newest first",
    words="``links.next`` leads to older invoices. A ``filter[reference_id]`` without a match answers 404: no such"
    " invoice exists, and it is safe to create it. Unknown and repeated filters are refused with 400.",
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
        Parameter(name="page[before]", words="Only invoices older than the one with this id.", schema=_CURSOR),
        Parameter(
            name="page[after]",
            words="Only invoices newer than the one with this id; not together with ``page[before]``.",
            schema=_CURSOR,
        ),
        Parameter(
            name="page[size]",
            words="Invoices on a page.",
            schema={"type": "integer", "minimum": 1, "maximum": SIZE_MAX, "default": SIZE_DEFAULT},
        ),
        INCLUDE,
    ),
    gives=(Gives(type=ListDocument, words="A page of invoices.", example=examples.page("private_processed")),),
    refuses=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)
