"""One order of a running Kassa, paid."""

from aiohttp import ClientSession

from tests.support import visitor
from tests.support.api import Client
from tests.support.serving import Serving
from tests.support.world import GOOD


async def paid(serving: Serving) -> str:
    """Pay an order as a payer does, have its merchant look at it, and return the invoice's id."""
    async with ClientSession() as session, visitor.visiting() as payer:
        client = Client(session, serving.served.base_url, serving.served.account)
        created = await client.create()
        form = await payer.open(created.attributes["flow_data"]["action"])
        page = await payer.press(form, card_number=GOOD, expiry="12/30", cvc="123")
        assert page.heading == "Payment received"
        invoice_id: str = created.data["id"]
        assert (await client.read(invoice_id)).status == 200
    return invoice_id
