"""Opening a lease, waiting for what it collects, and ending it: by itself, once it is no longer renewed."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from kassa.accounts.directory import KEPT_SECONDS
from kassa.accounts.model import Account
from kassa.callbacks.listeners import queries
from kassa.callbacks.listeners.model import COPIES_MAX, LEASE_SECONDS, LISTENERS_MAX, Copy, Listener
from kassa.errors import NotFound
from kassa.platform import Platform

_LEASE: Final = timedelta(seconds=LEASE_SECONDS)
_LOOK_SECONDS: Final = 0.25


async def listen(platform: Platform, account: Account, listener_id: str, *, test_mode: bool) -> Listener:
    """Open a lease and return it once every process knows of it: from then on each callback is copied.

    Where the account has too many, that which was renewed the longest ago ends: its listener may have died.
    """
    pool, account_id, now = platform.pool, account.account_id, platform.clock.real()
    listener = await queries.insert(
        pool, account_id=account_id, listener_id=listener_id, test_mode=test_mode, now=now, until=now + _LEASE
    )
    await queries.end_others(pool, account_id=account_id, test_mode=test_mode, most=LISTENERS_MAX)
    # As long as processes remember that there was no listener.
    await asyncio.sleep(KEPT_SECONDS)
    return listener


async def wait(
    platform: Platform, account: Account, listener_id: str, *, received: Sequence[str], seconds: float
) -> tuple[Listener, list[Copy]]:
    """Renew a lease, drop what its listener has received, and return what there is, once there is something.

    Raises ``NotFound`` for a lease that is over, another account's, or none.
    """
    pool, account_id = platform.pool, account.account_id
    now = platform.clock.real()
    listener = await queries.renew(pool, account_id=account_id, listener_id=listener_id, now=now, until=now + _LEASE)
    if listener is None:
        raise NotFound
    if received:
        await queries.received(pool, account_id=account_id, listener_id=listener_id, callback_ids=received)
    end = time.monotonic() + seconds
    while True:
        found = await queries.copies(pool, account_id=account_id, listener_id=listener_id, limit=COPIES_MAX)
        if found or time.monotonic() >= end:
            return listener, found
        await asyncio.sleep(_LOOK_SECONDS)
