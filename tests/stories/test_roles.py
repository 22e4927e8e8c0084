"""Several processes of each part on one PostgreSQL: they are restarted under load, killed and stopped, and agree."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from kassa.accounts import operations as accounts
from kassa.callbacks.delivery import Delivery
from tests.support import books, fleet, working
from tests.support.api import Answer, Client
from tests.support.buying import Buyers
from tests.support.fleet import Fleet
from tests.support.merchant import Merchant
from tests.support.postgres import Database
from tests.support.waiting import until

CLIENTS = 20
NAMES = 50


@pytest.fixture(scope="module")
async def ships(folders: Callable[[], Path], module_database: Database) -> AsyncIterator[Fleet]:
    """One fleet for the stories of this file."""
    async with fleet.sailing(folders(), module_database.url) as sailing:
        yield sailing


async def test_a_rolling_restart_under_load_fails_no_request(ships: Fleet, merchant: Merchant) -> None:
    shop = await ships.office.account(callback_url=merchant.url)
    buyers = Buyers(shop=shop)
    buyers.start(3)
    for number in (1, 2):
        await asyncio.gather(*(ships.members[f"{role}{number}"].roll() for role in ("api", "gate", "worker")))
        paid = len(buyers.paid)
        await until(lambda: len(buyers.paid) >= paid + 10, what="payments by the new ones")  # noqa: B023
    await buyers.stop()
    assert (buyers.failed, ships.api.broken, ships.gate.broken) == ([], [], [])
    for balancer in (ships.api, ships.gate):
        assert set(balancer.answered) == set(balancer.upstreams)
        assert balancer.retried > 0

    async def quiet() -> bool:
        return await books.quiet(ships.office, shop.keys.id)

    await until(quiet, what="the last callback")
    told = {(each["id"], each["attributes"]["status"]) for each in (got.document["data"] for got in merchant.received)}
    assert told == {(invoice_id, status) for invoice_id in buyers.paid for status in ("process_pending", "processed")}
    assert await books.agree(ships.office, ships.bank_url)


async def test_of_twenty_clients_over_two_processes_one_creates_each_name(ships: Fleet) -> None:
    shop = await ships.office.account()
    apis = [Client(ships.office.session, upstream, shop.keys) for upstream in ships.api.upstreams]

    async def orders(client: int) -> list[Answer]:
        return [await apis[(client + name) % 2].create(reference_id=f"order {name}") for name in range(NAMES)]

    answers = await asyncio.gather(*(orders(client) for client in range(CLIENTS)))
    for of_name in zip(*answers, strict=True):
        assert sorted(answer.status for answer in of_name) == [201] + [409] * (CLIENTS - 1)
        assert len({answer.document["data"]["id"] for answer in of_name}) == 1
    assert (await ships.office.rows(shop.keys.id))["invoices"] == NAMES


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_what_a_lost_worker_held_is_done_by_the_other_and_marked_once(
    ships: Fleet, merchant: Merchant, end: signal.Signals
) -> None:
    shop = await ships.office.account(callback_url=merchant.url)
    lost, other = ships.members["worker1"], ships.members["worker2"]
    await other.stop()
    merchant.open.clear()
    created = await shop.create()
    await merchant.wait_for_count(1)
    lost.process.send_signal(end)
    await other.start()
    await ships.office.advance(working.lease(Delivery.queue) + timedelta(seconds=1))
    await merchant.wait_for_count(2)
    merchant.open.set()

    async def row() -> dict[str, object]:
        (found,) = await ships.office.fetch("SELECT * FROM callbacks WHERE invoice_id = $1", created.data["id"])
        return found

    async def done() -> bool:
        return (await row())["status"] == "done"

    await until(done)
    marked = await row()
    assert marked["tries"] == 2
    if end is signal.SIGKILL:
        await lost.process.wait()
        await lost.start()
    else:
        lost.process.send_signal(signal.SIGCONT)
    # The one that was lost works again, and has nothing to say about what it held.
    await other.stop()
    await shop.create()
    await merchant.wait_for_count(3)
    await other.start()
    assert await row() == marked
    first, second = merchant.received[:2]
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


async def test_a_revoked_key_and_a_changed_option_hold_in_every_process_soon(ships: Fleet) -> None:
    office = ships.office
    shop = await office.account()
    everywhere = [Client(office.session, upstream, shop.keys) for upstream in ships.api.upstreams]

    async def statuses() -> list[tuple[int, int]]:
        return [((await each.create()).status, (await each.create_publicly()).status) for each in everywhere]

    assert await statuses() == [(201, 201), (201, 201)]
    await office.set_options(shop.keys.id, forbid_public_access="on")
    await until(within(statuses, [(201, 403), (201, 403)]), what="the option in each process")
    (key,) = await office.fetch("SELECT key_id FROM api_keys WHERE account_id = $1 AND kind = 'api'", shop.keys.id)
    await accounts.revoke_key(office.pool, office.clock, account_id=shop.keys.id, key_id=key["key_id"], by="ann")
    await until(within(statuses, [(401, 403), (401, 403)]), what="the end of the key in each process")


def within(ask: Callable[[], Awaitable[object]], expected: object) -> Callable[[], Awaitable[bool]]:
    async def same() -> bool:
        return await ask() == expected

    return same


async def test_a_process_without_a_free_descriptor_lives_and_takes_requests_again(ships: Fleet) -> None:
    shop = await ships.office.account()
    first = Client(ships.office.session, ships.api.upstreams[0], shop.keys)
    address, process = urlsplit(first.base_url), ships.members["api1"].process
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (64, before[1]))
    async with AsyncExitStack() as stack:
        for _ in range(100):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            stack.callback(writer.close)
        with pytest.raises(aiohttp.ClientError):
            await first.create()
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)

    async def back() -> bool:
        try:
            return (await first.create()).status == 201
        except aiohttp.ClientError:
            return False

    await until(back, what="an answer")
    assert process.returncode is None
