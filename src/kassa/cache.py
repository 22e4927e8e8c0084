"""Answers kept for a moment: what many requests ask for at once is asked of the database once."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

_SIZE_MAX: Final = 10_000


class Recent(Generic[Key, Answer]):
    """Asks ``load`` at most once for a key at a time, and keeps its answer for so many ``seconds`` of real time.

    The age counts from the moment of asking, so an answer that has taken long is not kept longer. An error goes to
    everyone who waited for it and is not kept.
    """

    def __init__(
        self, load: Callable[[Key], Coroutine[Any, Any, Answer]], *, seconds: float, size_max: int = _SIZE_MAX
    ) -> None:
        self._load = load
        self._seconds = seconds
        self._size_max = size_max
        self._asked: dict[Key, tuple[float, asyncio.Task[Answer]]] = {}

    async def get(self, key: Key) -> Answer:
        """Return the answer for a key. Raises whatever ``load`` raises."""
        asked = self._asked.get(key)
        if asked is None or time.monotonic() - asked[0] >= self._seconds:
            asked = self._ask(key)
        task = asked[1]
        # One who stops waiting must not take the answer away from the others.
        return task.result() if task.done() else await asyncio.shield(task)

    def _ask(self, key: Key) -> tuple[float, asyncio.Task[Answer]]:
        self._asked.pop(key, None)
        while len(self._asked) >= self._size_max:
            del self._asked[next(iter(self._asked))]
        task = asyncio.get_running_loop().create_task(self._load(key))
        task.add_done_callback(partial(self._drop_failed, key))
        self._asked[key] = (time.monotonic(), task)
        return self._asked[key]

    def _drop_failed(self, key: Key, task: asyncio.Task[Answer]) -> None:
        failed = task.cancelled() or task.exception() is not None
        asked = self._asked.get(key)
        if failed and asked is not None and asked[1] is task:
            del self._asked[key]
