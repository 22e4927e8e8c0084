"""From the start to the end of a process: it runs until a signal, or until a part of it ends by itself."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from kassa.errors import KassaError
from kassa.serving import hardening

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Stop:
    """That we are asked to stop, and whether at once: then no one is given the time to send requests elsewhere."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()

    def ask(self, number: signal.Signals) -> None:
        """Take a signal: Ctrl-C means at once, and so does the second of any."""
        if number == signal.SIGINT or self.asked.is_set():
            self.at_once.set()
        self.asked.set()


Start = Callable[[contextlib.AsyncExitStack, Stop], Coroutine[Any, Any, list[asyncio.Task[None]]]]
"""Starts everything; what has to be stopped goes on the stack. Returns the tasks that must not end."""


async def run(start: Start, stop: Stop | None = None) -> bool:
    """Start, and run until SIGTERM, SIGINT or a ``stop``; return whether a part broke instead.

    Raises the ``KassaError`` that kept it from starting, or that a part ended with.
    """
    stop = stop or Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.ask, number)
    async with contextlib.AsyncExitStack() as stack:
        started = await _unless(stop.asked, start(stack, stop))
        if started is None:
            return False
        hardening.collect_seldom()
        waiting = asyncio.create_task(stop.asked.wait())
        ended, _ = await asyncio.wait({waiting, *started}, return_when=asyncio.FIRST_COMPLETED)
        if waiting not in ended:
            waiting.cancel()
            stop.at_once.set()
            error = next(iter(ended)).exception()
            if isinstance(error, KassaError):
                raise error
            _log.critical("a part of Kassa ended by itself", exc_info=error)
            return True
        _log.info("stopping")
    _log.info("stopped")
    return False


async def _unless(stop: asyncio.Event, starting: Coroutine[Any, Any, T]) -> T | None:
    """Return what a coroutine returns, or None, with the coroutine cancelled, when we are asked to stop before that."""
    task = asyncio.create_task(starting)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None
    return await task


async def until_set_or(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than ``seconds``."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
