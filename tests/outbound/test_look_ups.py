"""Names that hang take no more threads than a session may have, and no request waits past its deadline for one."""

import asyncio
import socket
import threading

import pytest

from kassa.config import Settings
from kassa.errors import AnswerTimedOut
from kassa.outbound import Answer, Outbound, dialing
from tests.support.listener import Listen

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Resolver:
    """The system's resolver, which hangs until it is released."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        self.asked.append(host)
        self.released.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]


async def get(outbound: Outbound, host: str, port: int, seconds: float) -> Answer:
    return await outbound.request(
        "GET", f"http://{host}:{port}/", headers={}, body=b"", timeout_seconds=seconds, guarded=True
    )


async def test_names_that_hang_take_a_bounded_number_of_threads_and_every_deadline_holds(
    monkeypatch: pytest.MonkeyPatch, listen: Listen
) -> None:
    listener, resolver = await listen(OK), Resolver(monkeypatch)
    names = [f"{number}.slow.example" for number in range(dialing.LOOKUPS_MAX + 20)]
    async with Outbound(Settings(demo=True)) as outbound:
        async with asyncio.timeout(60):
            answers = await asyncio.gather(
                *(get(outbound, name, listener.port, 0.5) for name in names), return_exceptions=True
            )
        assert {type(answer) for answer in answers} == {AnswerTimedOut}
        assert len(resolver.asked) == dialing.LOOKUPS_MAX
        resolver.released.set()
        assert (await get(outbound, "shop.example", listener.port, 60)).status == 200
    assert resolver.asked[-1] == "shop.example"


async def test_requests_to_one_name_share_the_look_up_that_is_under_way(
    monkeypatch: pytest.MonkeyPatch, listen: Listen
) -> None:
    listener, resolver = await listen(OK), Resolver(monkeypatch)
    async with Outbound(Settings(demo=True)) as outbound:
        given_up = await asyncio.gather(
            *(get(outbound, "shop.example", listener.port, 0.2) for _ in range(5)), return_exceptions=True
        )
        assert {type(answer) for answer in given_up} == {AnswerTimedOut}
        waiting = [asyncio.create_task(get(outbound, "shop.example", listener.port, 60)) for _ in range(5)]
        resolver.released.set()
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [200] * 5
        first = len(resolver.asked)
        assert (await get(outbound, "shop.example", listener.port, 60)).status == 200
    assert first < 5 < first + 5
    assert len(resolver.asked) == first + 1
