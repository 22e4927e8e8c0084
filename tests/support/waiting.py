"""Waits for conditions: the one place in the tests that lets time pass, so that no test guesses how long that is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final, TypeVar, overload

PATIENCE_SECONDS: Final = 90.0
"""When a wait is given up. It only says how late a failure is told, so it is far longer than a busy machine takes."""

_INTERVAL_SECONDS: Final = 0.02

T = TypeVar("T")


@overload
async def until(
    probe: Callable[[], Awaitable[T]], *, seconds: float = PATIENCE_SECONDS, what: str = "the condition"
) -> T: ...
@overload
async def until(probe: Callable[[], T], *, seconds: float = PATIENCE_SECONDS, what: str = "the condition") -> T: ...
async def until(
    probe: Callable[[], T | Awaitable[T]], *, seconds: float = PATIENCE_SECONDS, what: str = "the condition"
) -> T:
    """Return the first true answer of ``probe``, asked again and again. Raises ``AssertionError`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        value = await answer if isawaitable(answer) else answer
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        await asyncio.sleep(_INTERVAL_SECONDS)
