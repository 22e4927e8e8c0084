"""How many statements the lives of an invoice take, counted where they arrive, with nothing else under way."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.bench import statements
from tests.bench.load import Caller
from tests.bench.merchant import Created, Merchant, in_time
from tests.bench.sides import BANK, FRONT, WORKER, Kassa, Side
from tests.bench.statements import Statement
from tests.support.waiting import until

LIVES: Final = 10
"""How often each kind of life is had, one after the other."""
_WARMING: Final = 3
_QUIET_SECONDS: Final = 1.0
_LISTENING_SECONDS_MIN: Final = 3.0
"""Less would miss what is said once in a few seconds."""
_STATUS_OF_EXPIRED: Final = "process_failed"

Life: TypeAlias = Callable[[Caller], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Count:
    """The statements of one kind of life, by their text: a mean of several lives."""

    what: str
    requests: Mapping[str, float]
    """While the payer or the merchant waits for an answer."""
    worker: Mapping[str, float]
    """What follows by itself, without the worker's looking for work."""
    looking: float
    """How much more often than an idle one the gateway looked for work."""

    @property
    def in_all(self) -> float:
        """All statements of one life, one after the other."""
        return sum(self.requests.values()) + sum(self.worker.values())

    @property
    def in_each(self) -> float:
        """Those that each life has: without what is remembered for a moment and then looked up again."""
        return sum(times for said in (self.requests, self.worker) for times in said.values() if times >= 1)


async def lives(side: Side, *, seconds: float) -> list[Count]:
    """Count a side's statements; ``seconds`` is how long it is listened to before, to learn how it looks for work."""
    await side.database.log_statements(on=True)
    async with side.running(apart=True) as kassa:
        counting = _Counting(side, kassa)
        await counting.listen(seconds)
        counts = await counting.lives()
    await side.database.log_statements(on=False)
    return counts


async def idle(side: Side, kassa: Kassa, *, seconds: float) -> float:
    """Return how many statements a second a gateway says that has nothing to do, without the bank's."""
    await side.database.log_statements(on=True)
    counting = _Counting(side, kassa)
    await counting.listen(seconds)
    await side.database.log_statements(on=False)
    return counting.rate


@dataclass(frozen=True, kw_only=True)
class _Moment:
    mark: int = 0
    """Where the log ended."""
    at: float = 0.0


class _Counting:
    def __init__(self, side: Side, kassa: Kassa) -> None:
        self._side = side
        self._kassa = kassa
        self._polls: frozenset[str] = frozenset()
        self._begun = _Moment()
        """The last one when Kassa only looked for work."""
        self.rate = 0.0

    @property
    def _merchant(self) -> Merchant:
        return self._kassa.merchant

    async def listen(self, seconds: float) -> None:
        """Wake everything once, then learn what is said while there is nothing to do."""
        # Only invoices that ask for it notify: a creation would otherwise pay for a callback to the demo shop.
        await self._side.command("accounts", "set", "callback_url=")
        with closing(Caller()) as caller:
            for _ in range(_WARMING):
                await self._merchant.live(caller)
        # Nothing is known yet of what it says when it is idle, so this wait cannot look for that.
        await self._after(self._side.database.mark(), _QUIET_SECONDS)
        begun = self._now()
        await self._after(begun.mark, max(seconds, _LISTENING_SECONDS_MIN))
        ended = self._now()
        said = self._said(begun, ended, *(parts for parts in self._kassa.parts if parts != BANK))
        self.rate = len(said) / (ended.at - begun.at)
        self._polls = statements.looking(said)

    async def lives(self) -> list[Count]:
        """Have each kind of life several times, and return what was said."""
        merchant, url = self._merchant, self._side.sink.url
        paid: list[Created] = []

        async def plain(caller: Caller) -> None:
            paid.append(await merchant.create(caller, callback_url=url))
            await merchant.pay(caller, paid[-1])

        async def create(caller: Caller) -> None:
            await merchant.create(caller)

        with closing(Caller()) as caller:
            known = (await merchant.create(caller)).invoice_id

        await self._quiet()
        counts = [
            await self._counted("whole life, 3-D Secure", merchant.live),
            await self._counted("whole life, without", plain),
            await self._counted("refund", lambda caller: merchant.refund(caller, paid.pop().invoice_id)),
            await self._counted("creation", create),
            await self._counted("read", lambda caller: merchant.read(caller, known)),
            await self._counted("list", lambda caller: merchant.list(caller, known)),
        ]
        return [*counts, await self._expired()]

    async def _counted(self, what: str, life: Life) -> Count:
        with closing(Caller()) as caller:
            for _ in range(LIVES):
                await life(caller)
        return await self._count(what)

    async def _expired(self) -> Count:
        """Let the worker end invoices that nobody paid."""
        sink = self._side.sink
        short = {"callback_url": sink.url, "expires": in_time(minutes=15)}
        with closing(Caller()) as caller:
            created = [await self._merchant.create(caller, **short) for _ in range(LIVES)]
        await self._quiet()
        ended = [sink.said(each.invoice_id, _STATUS_OF_EXPIRED) for each in created]
        await self._side.command("clock", "advance", "16m")
        for each in ended:
            await each
        return await self._count("expiry")

    async def _count(self, what: str) -> Count:
        begun = self._begun
        await self._quiet()
        front, behind = (self._said(begun, self._begun, parts) for parts in (FRONT, WORKER))
        requests, worker = (statements.work(each, self._polls) for each in (front, behind))
        looked = len(front) + len(behind) - len(requests) - len(worker)
        return Count(
            what=what,
            requests=statements.counted(requests, LIVES),
            worker=statements.counted(worker, LIVES),
            looking=max(0.0, looked - self.rate * (self._begun.at - begun.at)) / LIVES,
        )

    def _now(self) -> _Moment:
        return _Moment(mark=self._side.database.mark(), at=time.monotonic())

    def _said(self, begun: _Moment, ended: _Moment, *parts: tuple[str, ...]) -> list[Statement]:
        ports = {port for each in parts for port in self._kassa.ports(each)}
        return [each for each in self._side.database.said(begun.mark, ended.mark) if each.port in ports]

    async def _quiet(self) -> None:
        """Wait until Kassa only looks for work."""

        async def quiet() -> bool:
            begun = self._now()
            await self._after(begun.mark, _QUIET_SECONDS)
            said = self._said(begun, self._now(), FRONT, WORKER)
            return not statements.work(said, self._polls)

        await until(quiet, seconds=60, what="a gateway that only looks for work")
        self._begun = self._now()

    async def _after(self, mark: int, seconds: float) -> None:
        """Wait until so many seconds have passed, and something was said in them."""
        end = time.monotonic() + seconds
        await until(lambda: time.monotonic() >= end and self._side.database.mark() > mark, seconds=seconds + 60)
