"""What changes a queued callback: its tries are recorded, it is sent again. The worker claims it (``work``)."""

from datetime import datetime
from typing import assert_never

from kassa.callbacks import queries
from kassa.callbacks.listeners import queries as listener_queries
from kassa.callbacks.model import Claim, Delivered, Failed, Result, Retry, Verdict
from kassa.clock import Clock
from kassa.db.pool import Executor
from kassa.errors import AddressRefused, Invalid, NotFound
from kassa.outbound import Outbound


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
