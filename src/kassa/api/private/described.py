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
    words="Send the payer to ``flow_data.action`` or to ``hpp_url``. A callback is on its way with the answer.",
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
    words="``links.next`` goes on to older ones. A ``filter[reference_id]`` that nothing has answers 404: the operation"
    " does not exist and may be repeated. An unknown filter is refused, and so is one that is there twice.",
    parameters=(
        _filter("[reference_id]", "The merchant's own name.", type="string", minLength=1),
        _filter("[status]", "Where the invoice stands.", enum=[status.value for status in Status]),
        _filter("[resolution]", "Why it stands there."),
        _filter("[moderation_required]", "Whether a person has to look at it.", type="boolean"),
        _filter("[service]", "A service's code."),
        _filter("[currency]", "ISO 4217."),
        _filter("[test_mode]", "One mode alone.", type="boolean"),
        _filter("[created][from]", "Created then or later: unix seconds or ISO 8601.", **_MOMENT),
        _filter("[created][to]", "Created then or before.", **_MOMENT),
        _filter("[updated][from]", "Changed then or later.", **_MOMENT),
        _filter("[updated][to]", "Changed then or before.", **_MOMENT),
        Parameter(name="page[before]", words="Only older ones than the one of this id.", schema=_CURSOR),
        Parameter(name="page[after]", words="Only newer ones; not together with ``page[before]``.", schema=_CURSOR),
        Parameter(
            name="page[size]",
            words="How many.",
            schema={"type": "integer", "minimum": 1, "maximum": SIZE_MAX, "default": SIZE_DEFAULT},
        ),
        INCLUDE,
    ),
    gives=(Gives(type=ListDocument, words="A page of them.", example=examples.page("private_processed")),),
    refuses=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)
