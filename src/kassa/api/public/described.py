"""What the public API says of its routes."""

from http import HTTPStatus
from typing import Final

from kassa.api.description import examples
from kassa.api.description.operation import FORM_TYPE, HTML_TYPE, Asks, Caller, Gives, Operation, Parameter
from kassa.api.description.words import PUBLIC_KEY
from kassa.invoices import wire
from kassa.invoices.asked import PublicAsked

CREATE_INVOICE: Final = Operation(
    method="POST",
    caller=Caller.PUBLIC,
    summary="Create an invoice",
    words="Send the payer to ``active_payment.payload.action``. A 409 carries the invoice that stands only where"
    " service, currency and amount are the same as before.",
    parameters=(PUBLIC_KEY,),
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
    refuses=(
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
    words="The form of a shop's page, which the payer's browser sends. Members of members stand in brackets, at any"
    " depth: ``customer[address][city]``. An empty value is none. Everything may stand in the query as well; the form"
    " wins. ``cpi`` with the id of an invoice leads to where that is paid, in place of all other members."
    "\n\nThe payer reads what is refused on a page in the language of ``locale``, or of the browser.",
    asks=Asks(type=PublicAsked, public_key=True, media_types=(FORM_TYPE,), example=examples.load("form_request")),
    gives=(
        Gives(type=None, media_type=HTML_TYPE, words="A page that sends the payer on where the provider takes a POST."),
        Gives(
            type=None,
            media_type=None,
            status=HTTPStatus.SEE_OTHER,
            words="On to where the order is paid; an honest repeat goes where the standing invoice is paid.",
        ),
    ),
    refuses=(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS),
    pages=True,
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
    refuses=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS),
)
