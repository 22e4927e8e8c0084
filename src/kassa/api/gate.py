"""What the card gate, which is below the API and has an address of its own, takes from merchants' servers."""

from http import HTTPStatus
from typing import Final

from kassa.api.description import examples
from kassa.api.description.operation import Asks, Caller, Gives, Operation
from kassa.cardgate import sale
from kassa.cardgate.operation import Sale

SALE: Final = Operation(
    method="POST",
    caller=Caller.GATE,
    summary="Pay with a card, host to host",
    words="A decline is an outcome, too: 201 with ``status`` ``process_failed``. If ``auth_payload`` is not null, send"
    " the payer there; the bank brings them back to the invoice's page here."
    "\n\nA server that handles card numbers is in the scope of PCI DSS.",
    asks=Asks(type=Sale, resource=sale.TYPE, example=examples.load("sale_request")),
    gives=(
        Gives(
            type=sale.SaleDocument,
            status=HTTPStatus.CREATED,
            words="The attempt and its status.",
            example=examples.load("sale_created"),
        ),
    ),
    conflict=sale.SaleResource,
    conflict_words="Another attempt is in progress, or the invoice takes no more; ``data`` is the latest attempt.",
    refuses=(HTTPStatus.TOO_MANY_REQUESTS,),
)

OPERATIONS: Final = {sale.PATH: SALE}
"""What the gate serves to machines, by path."""
