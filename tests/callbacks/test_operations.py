import asyncio
import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from kassa import ids
from kassa.accounts.model import NewAccount
from kassa.callbacks import operations
from kassa.callbacks.delivery import Delivery
from kassa.callbacks.model import Answered, Claim, Delivered, Failed, Failure, Retry, Unanswered
from kassa.callbacks.queries import Queued
from kassa.db.pool import Executor, transaction
from kassa.errors import Cause, TransitionRefused
from kassa.invoices.rules.invoice import Invoice
from kassa.platform import Platform
from kassa.work.claims import Claims
from kassa.work.jobs import CALLBACKS
from kassa.work.queue import Lease
from tests.support.callbacks import add
from tests.support.platform import new_account, new_invoice

LEASE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)


class Queue:
    """The callbacks of one invoice: what a test does to them and what it finds."""

    def __init__(self, platform: Platform, made: NewAccount, invoice: Invoice) -> None:
        self.platform = platform
        self.pool = platform.pool
        self.made = made
        self.invoice = invoice
        self.now = invoice.created_at
        self.job = Delivery(platform)
        self.seconds = itertools.count(int(self.now.timestamp()))
        self.leases: dict[tuple[str, int], Lease] = {}

    async def enqueue(
        self, status: str, *, final: bool = False, now: datetime | None = None, connection: Executor | None = None
    ) -> None:
        queued = Queued(
            callback_id=ids.new_id("msg", self.made.account.tag),
            invoice_id=self.invoice.invoice_id,
            test_mode=self.invoice.test_mode,
            invoice_status=status,
            final=final,
            url="https://shop.example/callbacks",
            body=status.encode(),
            logged_at=next(self.seconds),
            now=now or self.now,
            listened=False,
            traceparent=None,
        )
        await add(connection or self.pool, self.invoice.account_id, queued)

    async def claim(self, *, after: timedelta = timedelta(), limit: int = 10, test_mode: bool = True) -> list[Claim]:
        claims = Claims(self.pool, CALLBACKS, test_mode=test_mode)
        found = await claims.claim(self.invoice.account_id, self.now + after, limit=limit)
        taken = [(self.job.read(lease.row), lease) for lease in found]
        self.leases.update({(claim.callback_id, claim.tries): lease for claim, lease in taken})
        return [claim for claim, _ in taken]

    async def release(self, *taken: Claim) -> None:
        claims = Claims(self.pool, CALLBACKS, test_mode=True)
        await claims.release([self.leases[claim.callback_id, claim.tries] for claim in taken], self.now)

    async def renew(self, claim: Claim, *, after: timedelta) -> bool:
        claims, key = Claims(self.pool, CALLBACKS, test_mode=True), (claim.callback_id, claim.tries)
        renewed = await claims.renew(self.leases[key], self.now + after)
        if renewed is not None:
            self.leases[key] = renewed
        return renewed is not None

    async def retry(self, claim: Claim, *, due: timedelta = MINUTE) -> None:
        verdict = Retry(response_code=500, failure=Failure.STATUS, due_at=self.now + due)
        await operations.record(self.pool, claim, verdict, Answered(response_code=500), now=self.now)

    async def done(self, claim: Claim) -> None:
        await operations.record(
            self.pool, claim, Delivered(response_code=200), Answered(response_code=200), now=self.now
        )

    async def rows(self) -> list[Mapping[str, Any]]:
        return [dict(row) for row in await self.pool.fetch("SELECT * FROM callbacks ORDER BY logged_at")]

    async def statuses(self) -> dict[str, str]:
        return {row["invoice_status"]: row["status"] for row in await self.rows()}


@pytest.fixture
async def queue(platform: Platform) -> Queue:
    made = await new_account(platform)
    return Queue(platform, made, await new_invoice(platform, made))


async def test_a_callback_waits_with_its_bytes_and_is_due_at_once(queue: Queue) -> None:
    await queue.enqueue("processed", final=True)
    (row,) = await queue.rows()
    assert row["callback_id"].startswith(f"msg_{queue.made.account.tag}")
    assert (row["status"], row["tries"], row["due_at"], row["final"]) == ("pending", 0, queue.now, True)
    assert (row["body"], row["logged_at"]) == (b"processed", int(queue.now.timestamp()))


async def test_a_change_that_is_rolled_back_tells_nobody(queue: Queue) -> None:
    async def change() -> None:
        async with transaction(queue.pool) as connection:
            await queue.enqueue("processed", final=True, connection=connection)
            raise TransitionRefused

    with pytest.raises(TransitionRefused):
        await change()
    assert await queue.rows() == []


async def test_a_newer_callback_takes_the_place_of_one_that_waits_for_a_retry(queue: Queue) -> None:
    await queue.enqueue("process_pending")
    (claim,) = await queue.claim()
    await queue.retry(claim)
    await queue.enqueue("processed", final=True)
    assert await queue.statuses() == {"process_pending": "dropped", "processed": "pending"}


async def test_a_final_callback_is_never_dropped(queue: Queue) -> None:
    await queue.enqueue("process_failed", final=True)
    (claim,) = await queue.claim()
    await queue.retry(claim)
    await queue.enqueue("processed", final=True)
    assert await queue.statuses() == {"process_failed": "pending", "processed": "pending"}


async def test_what_was_not_tried_yet_or_is_under_way_is_not_dropped(queue: Queue) -> None:
    await queue.enqueue("process_pending")
    await queue.claim(limit=1)
    await queue.enqueue("process_error")
    await queue.enqueue("processed", final=True)
    assert await queue.statuses() == {"process_pending": "pending", "process_error": "pending", "processed": "pending"}


async def test_callbacks_of_other_invoices_are_left_alone(queue: Queue) -> None:
    other = Queue(queue.platform, queue.made, await new_invoice(queue.platform, queue.made))
    await other.enqueue("process_pending")
    (claim,) = await other.claim(after=MINUTE)
    await other.retry(claim)
    await queue.enqueue("processed", final=True)
    assert await queue.statuses() == {"process_pending": "pending", "processed": "pending"}


async def test_a_retry_that_arrives_after_it_was_dropped_is_marked_as_delivered(queue: Queue) -> None:
    await queue.enqueue("process_pending")
    (claim,) = await queue.claim()
    await queue.retry(claim)
    (again,) = await queue.claim(after=MINUTE)
    await queue.enqueue("processed", final=True)
    assert (await queue.statuses())["process_pending"] == "dropped"
    await queue.done(again)
    assert await queue.statuses() == {"process_pending": "done", "processed": "pending"}


async def test_a_retry_that_fails_after_it_was_dropped_stays_dropped(queue: Queue) -> None:
    await queue.enqueue("process_pending")
    (claim,) = await queue.claim()
    await queue.retry(claim)
    (again,) = await queue.claim(after=MINUTE)
    await queue.enqueue("processed", final=True)
    await queue.retry(again)
    assert (await queue.statuses())["process_pending"] == "dropped"


async def test_a_claim_takes_the_oldest_of_its_account_and_mode_up_to_the_limit(queue: Queue) -> None:
    for status in ("process_pending", "process_error", "processed"):
        await queue.enqueue(status)
    stranger = await new_account(queue.platform)
    other = Queue(queue.platform, stranger, await new_invoice(queue.platform, stranger))
    await other.enqueue("processed", final=True)
    assert await queue.claim(test_mode=False) == []
    assert [claim.body for claim in await queue.claim(limit=2)] == [b"process_pending", b"process_error"]
    assert [claim.body for claim in await queue.claim(limit=2)] == [b"processed"]
    assert await queue.claim() == []


async def test_parallel_claims_share_the_work_without_an_overlap(queue: Queue) -> None:
    for number in range(40):
        await queue.enqueue("process_pending", now=queue.now + timedelta(seconds=number))
    taken = await asyncio.gather(*(queue.claim(after=MINUTE, limit=10) for _ in range(8)))
    ids = [claim.callback_id for claims in taken for claim in claims]
    assert max(map(len, taken)) <= 10
    assert len(ids) == len(set(ids))
    rest = [claim.callback_id for claim in await queue.claim(after=MINUTE, limit=40)]
    assert len(set(ids + rest)) == 40


async def test_a_lost_claim_comes_due_again_and_its_late_owner_changes_nothing(queue: Queue) -> None:
    await queue.enqueue("processed", final=True)
    (first,) = await queue.claim()
    assert await queue.claim(after=LEASE - timedelta(milliseconds=1)) == []
    (second,) = await queue.claim(after=LEASE)
    assert (first.tries, second.tries) == (1, 2)
    await queue.done(first)
    await queue.release(first)
    assert await queue.statuses() == {"processed": "pending"}
    assert (await queue.rows())[0]["due_at"] == queue.now + 2 * LEASE
    await queue.done(second)
    assert await queue.statuses() == {"processed": "done"}


async def test_a_claim_that_is_renewed_is_not_taken_by_another_until_it_ends(queue: Queue) -> None:
    await queue.enqueue("processed", final=True)
    (claim,) = await queue.claim()
    assert await queue.renew(claim, after=2 * LEASE)
    assert await queue.claim(after=2 * LEASE) == []
    assert len(await queue.claim(after=3 * LEASE)) == 1
    assert not await queue.renew(claim, after=3 * LEASE)


async def test_what_is_released_is_due_at_once(queue: Queue) -> None:
    await queue.enqueue("processed", final=True)
    claims = await queue.claim()
    await queue.release(*claims)
    (again,) = await queue.claim()
    assert again.tries == 1


async def test_a_try_that_was_recorded_is_not_given_back(queue: Queue) -> None:
    await queue.enqueue("processed", final=True)
    (claim,) = await queue.claim()
    await queue.retry(claim)
    await queue.release(claim)
    (row,) = await queue.rows()
    assert (row["tries"], row["due_at"]) == (1, queue.now + MINUTE)


async def test_a_worker_that_ends_while_an_endpoint_is_silent_costs_the_callback_no_try(queue: Queue) -> None:
    await queue.enqueue("processed", final=True)
    (claim,) = await queue.claim()
    await queue.retry(claim)
    (again,) = await queue.claim(after=MINUTE)
    await queue.release(again)
    await queue.release(again)
    assert [row["tries"] for row in await queue.rows()] == [1]


async def test_a_try_is_recorded_with_its_answer(queue: Queue) -> None:
    await queue.enqueue("processed", final=True)
    (claim,) = await queue.claim()
    await queue.retry(claim, due=timedelta(minutes=7))
    (row,) = await queue.rows()
    assert (row["status"], row["response_code"], row["failure"]) == ("pending", 500, "status")
    assert (row["due_at"], row["tried_at"]) == (queue.now + timedelta(minutes=7), queue.now)
    (claim,) = await queue.claim(after=timedelta(minutes=7))
    await operations.record(
        queue.pool,
        claim,
        Failed(response_code=None, failure=Failure.TIMEOUT),
        Unanswered(cause=Cause.TIMEOUT),
        now=queue.now,
    )
    (row,) = await queue.rows()
    assert (row["status"], row["response_code"], row["failure"], row["due_at"]) == ("failed", None, "timeout", None)
