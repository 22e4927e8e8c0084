import re
from pathlib import Path

import msgspec
from aiohttp import ClientSession

from tests.support import visitor
from tests.support.api import Client
from tests.support.serving import Served
from tests.support.terminal import at_a_terminal
from tests.support.world import GOOD_SECURE


async def test_at_a_terminal_an_order_is_paid_and_ctrl_c_ends_it_well(folder: Path) -> None:
    ready = folder / "ready.json"
    words = ("serve", "--demo", "--port", "0", "--home", str(folder / "home"), "--ready-file", str(ready))
    async with at_a_terminal(*words, environment={}) as terminal:
        await terminal.shows("Ctrl-C stops Kassa")
        served = msgspec.json.decode(ready.read_bytes(), type=Served)
        async with ClientSession() as session, visitor.visiting() as payer:
            created = await Client(session, served.base_url, served.account).create()
            form = await payer.open(created.attributes["flow_data"]["action"])
            page = await payer.press(form, card_number=GOOD_SECURE, expiry="12/30", cvc="123")
            page = await payer.press(page, "approve")
            assert page.heading == "Payment received"
        await terminal.shows("/api/payment-invoices")
        status = await terminal.interrupt()
    assert status == 0
    assert "Traceback" not in terminal.text
    assert '"level":' not in terminal.text
    lines = terminal.text.splitlines()
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d \d+ migrations applied last=\w+", line) for line in lines)
    assert any(
        re.fullmatch(r"\d\d:\d\d:\d\d POST /api/payment-invoices 201 [\d.]+ ms cpi_\w{16}", line) for line in lines
    )
    assert sum(" invoice.paid cpi_" in line for line in lines) == 1
    assert "\x1b[32m201" in terminal.raw
