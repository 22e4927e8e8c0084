import asyncio
import math

import pytest

from kassa.cache import Recent
from kassa.errors import NotFound
from tests.support.waiting import until


class Source:
    """Answers when it is let to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None

    async def load(self, key: str) -> str:
        self.asked.append(key)
        answer = f"{key}{len(self.asked)}"
        await self.open.wait()
        if self.failure:
            raise self.failure
        return answer


async def test_a_crowd_asks_once() -> None:
    source = Source()
    source.open.clear()
    recent = Recent(source.load, seconds=math.inf)
    crowd = [asyncio.create_task(recent.get("a")) for _ in range(50)]
    await until(lambda: source.asked)
    source.open.set()
    assert await asyncio.gather(*crowd) == ["a1"] * 50
    assert source.asked == ["a"]


async def test_a_kept_answer_is_not_asked_for_again() -> None:
    source = Source()
    recent = Recent(source.load, seconds=math.inf)
    assert [await recent.get("a"), await recent.get("b"), await recent.get("a")] == ["a1", "b2", "a1"]


async def test_an_answer_of_age_is_asked_for_again() -> None:
    source = Source()
    recent = Recent(source.load, seconds=0)
    assert [await recent.get("a"), await recent.get("a")] == ["a1", "a2"]


async def test_an_answer_ages_from_the_moment_of_asking() -> None:
    source = Source()
    source.open.clear()
    recent = Recent(source.load, seconds=0)
    slow = asyncio.create_task(recent.get("a"))
    await until(lambda: source.asked)
    late = asyncio.create_task(recent.get("a"))
    await until(lambda: len(source.asked) == 2)
    source.open.set()
    assert [await slow, await late] == ["a1", "a2"]


async def test_an_error_reaches_everyone_who_waits_and_is_not_kept() -> None:
    source = Source()
    source.open.clear()
    source.failure = NotFound()
    recent = Recent(source.load, seconds=math.inf)
    crowd = [asyncio.create_task(recent.get("a")) for _ in range(3)]
    await until(lambda: source.asked)
    source.open.set()
    assert await asyncio.gather(*crowd, return_exceptions=True) == [source.failure] * 3
    source.failure = None
    assert await recent.get("a") == "a2"


async def test_one_who_stops_waiting_does_not_take_the_answer_from_others() -> None:
    source = Source()
    source.open.clear()
    recent = Recent(source.load, seconds=math.inf)
    first = asyncio.create_task(recent.get("a"))
    second = asyncio.create_task(recent.get("a"))
    await until(lambda: source.asked)
    first.cancel()
    source.open.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "a1"


async def test_only_so_many_answers_are_kept_and_the_oldest_go_first() -> None:
    source = Source()
    recent = Recent(source.load, seconds=math.inf, size_max=2)
    for key in ["a", "b", "c", "b", "c", "a"]:
        await recent.get(key)
    assert source.asked == ["a", "b", "c", "a"]


async def test_asking_again_takes_no_room_from_others() -> None:
    recent = Recent(Source().load, seconds=0, size_max=2)
    for key in ["a", "b", "b"]:
        await recent.get(key)
    assert list(recent._asked) == ["a", "b"]
