"""The description of what the card gate, which has a base URL of its own, offers to merchants' servers."""

from http import HTTPStatus
from typing import Final

from kassa.api.description import examples
from kassa.api.description.operation import Answer, Caller, Operation, RequestBody
from kassa.cardgate import sale
from kassa.cardgate.operation import Sale

SALE: Final = Operation(
    method="POST",
    caller=Caller.GATE,
    summary="Pay with a card, host to host",
    description="A decline is an outcome, too: 201 with ``status`` ``process_failed``. If ``auth_payload`` is not"
    " null, send the payer there; the bank brings them back to the invoice's page here."
    "\n\nA server that handles card numbers is in the scope of PCI DSS.",
    body=RequestBody(type=Sale, resource=sale.TYPE, example=examples.load("sale_request")),
    answers=(
        Answer(
            type=sale.SaleDocument,
            status=HTTPStatus.CREATED,
            description="The attempt and its status.",
            example=examples.load("sale_created"),
        ),
    ),
    conflict=sale.SaleResource,
    on_conflict="Another attempt is in progress, or the invoice takes no more; ``data`` is the latest attempt.",
    errors=(HTTPStatus.TOO_MANY_REQUESTS,),
)

OPERATIONS: Final = {sale.PATH: SALE}
"""The gate's operations for machines, by path."""
