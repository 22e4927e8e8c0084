"""What the public API says of its routes."""

from http import HTTPStatus
from typing import Final

from kassa.api.description import examples
from kassa.api.description.operation import Asks, Caller, Gives, Operation, Parameter
from kassa.invoices import wire
from kassa.invoices.asked import PublicAsked

CREATE_INVOICE: Final = Operation(
    method="POST",
    caller=Caller.PUBLIC,
    summary="Create an invoice",
    words="Send the payer to ``active_payment.payload.action``. A 409 carries the invoice that stands only where"
    " service, currency and amount are the same as before.",
    asks=Asks(type=PublicAsked, public_key=True, example=examples.load("public_request")),
    gives=(
        Gives(
            type=wire.PublicDocument,
            status=HTTPStatus.CREATED,
            words="The new invoice.",
            example=examples.load("public_created"),
        ),
    ),
    conflict=wire.PublicInvoice,
    refuses=(HTTPStatus.FORBIDDEN, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT),
)

READ_INVOICE: Final = Operation(
    method="GET",
    caller=Caller.PUBLIC,
    summary="Read an invoice",
    words="The id alone opens it, so it says nothing about payer and card.",
    parameters=(
        Parameter(
            name="invoice_id",
            place="path",
            words="The invoice's id.",
            schema={"type": "string", "minLength": 1},
            example="cpi_QGcJxoBxnYStkuvN",
        ),
        Parameter(name="public_key", words="May be sent; it then has to be the account's, of the invoice's mode."),
    ),
    gives=(Gives(type=wire.PublicDocument, words="The invoice.", example=examples.load("public_created")),),
    refuses=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)
