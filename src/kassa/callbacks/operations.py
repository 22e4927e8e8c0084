"""What changes a callback: it is queued, taken, kept, recorded, handed back. Nothing else writes to its row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from kassa import ids
from kassa.callbacks import queries
from kassa.callbacks.listeners import queries as listener_queries
from kassa.callbacks.model import Claim, Delivered, Failed, Result, Retry, Verdict
from kassa.clock import Clock
from kassa.db.pool import Executor
from kassa.errors import AddressRefused, Invalid, NotFound
from kassa.observability import tracing
from kassa.outbound import Outbound


async def enqueue(
    connection: Executor,
    *,
    account_id: str,
    tag: str,
    invoice_id: str,
    test_mode: bool,
    invoice_status: str,
    final: bool,
    url: str | None,
    body: bytes,
    now: datetime,
    listened: bool = False,
) -> None:
    """Queue a callback in the transaction that changed the invoice, whose row the caller locked (P7).

    Where it is ``listened`` to, listeners get a copy, also where there is no ``url`` and so nothing to deliver.

    ``body`` is the document as it is at this change: the same bytes go out on each try. An older callback of the
    invoice that waits for a retry gives way to this one, unless its status is ``final``.
    """
    callback_id = ids.new_id("msg", tag)
    if listened:
        await listener_queries.copy(
            connection,
            account_id=account_id,
            test_mode=test_mode,
            callback_id=callback_id,
            invoice_id=invoice_id,
            invoice_status=invoice_status,
            body=body,
        )
    if url is None:
        return
    await queries.enqueue(
        connection,
        account_id=account_id,
        callback_id=callback_id,
        invoice_id=invoice_id,
        test_mode=test_mode,
        invoice_status=invoice_status,
        final=final,
        url=url,
        body=body,
        logged_at=int(now.timestamp()),
        now=now,
        traceparent=tracing.carried(),
    )


async def claim(
    connection: Executor, account_id: str, *, test_mode: bool, now: datetime, lease: timedelta, limit: int
) -> list[Claim]:
    """Take at most ``limit`` due callbacks of an account; what is not recorded is due again after ``lease``."""
    return await queries.claim(
        connection, account_id=account_id, test_mode=test_mode, now=now, until=now + lease, limit=limit
    )


async def keep(connection: Executor, claim: Claim, *, until: datetime) -> None:
    """Keep a taken callback for longer; nothing happens if another worker has taken it since."""
    await queries.postpone(
        connection, account_id=claim.account_id, callback_id=claim.callback_id, tries=claim.tries, due_at=until
    )


async def hand_back(connection: Executor, claims: Sequence[Claim], *, now: datetime) -> None:
    """Give taken callbacks back, due at once and without the try.

    One that was under way may reach the merchant again (P7).
    """
    for claim in claims:
        await queries.hand_back(
            connection,
            account_id=claim.account_id,
            callback_id=claim.callback_id,
            tries=claim.tries,
            tried_at=claim.tried_at,
            now=now,
        )


async def record(connection: Executor, claim: Claim, verdict: Verdict, result: Result, *, now: datetime) -> bool:
    """Write down what came of a try, and return whether it was: another worker may have taken the callback."""
    match verdict:
        case Delivered():
            return await queries.mark_done(
                connection,
                account_id=claim.account_id,
                callback_id=claim.callback_id,
                tries=claim.tries,
                response_code=verdict.response_code,
                answer=result.answer,
                milliseconds=result.milliseconds,
                now=now,
            )
        case Retry() | Failed():
            return await queries.mark_failed(
                connection,
                account_id=claim.account_id,
                callback_id=claim.callback_id,
                tries=claim.tries,
                response_code=verdict.response_code,
                failure=verdict.failure,
                cause=result.cause,
                answer=result.answer,
                milliseconds=result.milliseconds,
                due_at=verdict.due_at if isinstance(verdict, Retry) else None,
                now=now,
            )
        case _:
            assert_never(verdict)


async def resend(
    connection: Executor, outbound: Outbound, clock: Clock, account_id: str, callback_id: str, *, url: str | None
) -> None:
    """Send a callback again at once, the same bytes under the same id; with ``url`` there from now on.

    Its tries go on counting: one that was given up gets this try alone. Raises ``NotFound``; ``Invalid`` for an address
    that callbacks are not sent to.

    See contract#callbacks.
    """
    test_mode = await queries.mode(connection, account_id=account_id, callback_id=callback_id)
    if test_mode is None:
        raise NotFound("There is no such callback.")
    if url is not None:
        try:
            outbound.check_url(url, https_only=not test_mode)
        except AddressRefused as error:
            raise Invalid({"url": error.detail}) from None
    now = clock.now(test_mode=test_mode)
    await queries.resend(connection, account_id=account_id, callback_id=callback_id, url=url, now=now)
    await listener_queries.copy_again(connection, account_id=account_id, callback_id=callback_id)
