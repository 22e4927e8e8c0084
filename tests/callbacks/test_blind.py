"""A merchant learns nothing of our network from what becomes of his callbacks."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from kassa.callbacks.delivery import Delivery
from kassa.config import Settings
from kassa.invoices.document import building as document
from kassa.invoices.tables import snapshots as queries
from kassa.platform import Platform
from tests.support import names as nameservers
from tests.support import platform as platforms
from tests.support import working
from tests.support.callbacks import enqueue
from tests.support.listener import Listen
from tests.support.names import Names
from tests.support.platform import new_account
from tests.support.postgres import Database

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.fixture
async def platform(database: Database) -> AsyncIterator[Platform]:
    """A platform for which one network of the loopback stands for the world."""
    settings = Settings(outbound_allow="127.0.2.0/24", base_url="http://base.test", gate_url="http://gate.test")
    async with platforms.opened(database, settings) as opened:
        yield opened


@pytest.fixture
def names() -> Iterator[Names]:
    with nameservers.serving() as serving:
        yield serving


async def told(platform: Platform, url: str) -> dict[str, Any]:
    """Return what the merchant is told of a callback after one try, and when the next one comes."""
    made = await new_account(platform)
    invoice = await enqueue(platform, made, url)
    now = platform.clock.now(test_mode=True)
    (claim,) = await working.taken(platform.pool, Delivery(platform), invoice.account_id, now)
    await Delivery(platform).run(claim)
    view = await queries.by_id(platform.pool, invoice.invoice_id, account_id=invoice.account_id)
    assert view is not None
    logs = document.private(platform, made.account, view).data.attributes.callback_logs
    row = await platform.pool.fetchrow("SELECT due_at - tried_at AS wait FROM callbacks WHERE url = $1", url)
    assert row is not None
    decoded: dict[str, dict[str, Any]] = msgspec.json.decode(logs)
    (log,) = decoded.values()
    return {**log, "wait": row["wait"]}


async def test_what_is_refused_within_looks_like_what_is_not_there_outside(
    platform: Platform, names: Names, listen: Listen
) -> None:
    inner = await listen(OK, host="127.0.0.1")
    names.addresses |= {"inner.example": [["127.0.0.1"]], "gone.example": [["127.0.2.9"]]}
    within = await told(platform, f"http://inner.example:{inner.port}/")
    closed = await told(platform, "http://inner.example:1/")
    outside = await told(platform, f"http://gone.example:{inner.port}/")
    nowhere = await told(platform, f"http://nxdomain.example:{inner.port}/")
    assert inner.connections == 0
    assert within == closed == outside == nowhere
