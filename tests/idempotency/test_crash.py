"""Kassa is killed in the middle of named requests: their repeats do what was not done, and find what was."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import asyncpg

from tests.support import blocking, life
from tests.support.api import INVOICES, Answer, Client, private_body

BODIES = {key: private_body(reference_id=key) for key in ("undone", "done")}


async def post(shop: Client, key: str) -> Answer:
    return await shop.call("POST", INVOICES, json_body=BODIES[key], headers={"Idempotency-Key": key})


async def test_a_kill_before_the_invoice_and_one_before_the_note_of_it_both_leave_one_invoice(
    folders: Callable[[], Path],
) -> None:
    async with life.lived(folders()) as mortal:
        await mortal.start()
        office = mortal.office
        undone, done = await office.account(), await office.account()
        holding = await asyncpg.connect(mortal.serving.served.database_url)
        await blocking.hold(holding, "INSERT", "invoices", undone.keys.id)
        await blocking.hold(holding, "UPDATE", "idempotency_keys", done.keys.id)
        asking = [asyncio.create_task(post(undone, "undone")), asyncio.create_task(post(done, "done"))]
        await blocking.until_waiting(office, "INSERT INTO invoices")
        await blocking.until_waiting(office, "UPDATE idempotency_keys")
        # The database could still do what waits, once the lock is gone: its own death comes a moment after Kassa's.
        mortal.serving.process.send_signal(signal.SIGSTOP)
        await blocking.end_waiting(office)
        await mortal.kill()
        holding.terminate()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert [isinstance(answer, aiohttp.ClientError) for answer in answers] == [True, True]

        await mortal.start()
        office = mortal.office
        await blocking.let_pass(office.owner, "INSERT", "invoices")
        await blocking.let_pass(office.owner, "UPDATE", "idempotency_keys")
        undone, done = office.client(undone.keys), office.client(done.keys)
        assert [(await office.rows(shop.keys.id))["invoices"] for shop in (undone, done)] == [0, 1]
        existing = await done.find("done")
        # It is not known yet that the holder of the keys has died.
        assert [(await post(undone, "undone")).status, (await post(done, "done")).status] == [409, 409]
        await office.owner.execute("UPDATE idempotency_keys SET leased_until = leased_until - interval '61 seconds'")
        for shop, key in ((undone, "undone"), (done, "done")):
            resumed, repeated = await post(shop, key), await post(shop, key)
            assert (resumed.status, resumed.headers.get("Idempotent-Replayed")) == (201, None)
            assert (repeated.status, repeated.text) == (201, resumed.text)
            assert repeated.headers["Idempotent-Replayed"] == "true"
            assert (await office.rows(shop.keys.id))["invoices"] == 1
        assert (await post(done, "done")).data["id"] == existing.data[0]["id"]
