"""This Kassa and an earlier commit beside each other: the same driver, in turn, each on a PostgreSQL of its own."""

import asyncio
import os
import random
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench import counting, load, localstripe, sides, sink, trees
from tests.bench.counting import Count
from tests.bench.load import Caller, Rate
from tests.bench.localstripe import LocalStripe
from tests.bench.merchant import in_time
from tests.bench.sides import Kassa, Side
from tests.bench.trees import Tree

CLIENTS: Final = 16
PAYERS_EACH: Final = 2
"""Payers for each client of the other measurements: they mostly wait."""

CREATIONS: Final = "creations"
READS: Final = "reads by id"
LISTS: Final = "lists, a page of 20"
LIVES: Final = "whole lives"


@dataclass(kw_only=True)
class Contender:
    """A side, the invoices that it has been filled with, and what was measured of it, a rate for each round."""

    side: Side
    clients: int = CLIENTS
    lives: list[Count] = field(default_factory=list)
    """The statements of each kind of life."""
    idle: float = 0.0
    """The statements a second of a gateway that has nothing to do."""
    invoices: list[str] = field(default_factory=list)
    rates: dict[str, list[Rate]] = field(default_factory=dict)

    async def open(self, size: int, *, seconds: float) -> None:
        """Count its statements, and create invoices until there are so many, as a merchant does."""
        self.lives = await counting.lives(self.side, seconds=seconds)
        async with self.side.running() as kassa:
            self.idle = await counting.idle(self.side, kassa, seconds=seconds)
            await asyncio.gather(*(self._fill(kassa, size) for _ in range(self.clients)))

    async def _fill(self, kassa: Kassa, size: int) -> None:
        caller = Caller()
        while len(self.invoices) < size:
            created = await kassa.merchant.create(caller, expires=in_time(days=2))
            self.invoices.append(created.invoice_id)
        caller.close()

    async def turn(self, seconds: float) -> None:
        """Measure everything once."""
        async with self.side.running() as kassa:
            merchant = kassa.merchant

            async def create(caller: Caller) -> None:
                await merchant.create(caller)

            works: list[tuple[str, load.Work, int]] = [
                (CREATIONS, create, self.clients),
                (READS, lambda caller: merchant.read(caller, self._any()), self.clients),
                (LISTS, lambda caller: merchant.list(caller, self._any()), self.clients),
                (LIVES, merchant.live, PAYERS_EACH * self.clients),
            ]
            for what, work, clients in works:
                spending = lambda: (kassa.spent(), self.side.database.spent())  # noqa: E731
                rate = await load.measure(work, clients=clients, seconds=seconds, spending=spending)
                self.rates.setdefault(what, []).append(rate)

    def _any(self) -> str:
        return random.choice(self.invoices)  # noqa: S311 (nobody's secret)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a run has found, the earlier commit first, if there is one."""

    contenders: Sequence[Contender]
    beside: LocalStripe | None
    """None where it is not installed, or was not asked for."""


async def run(
    *, against: str | None, size: int, seconds: float, rounds: int, stripe: bool, clients: int = CLIENTS
) -> Found:
    """Count and measure this Kassa, with ``size`` invoices, and the commit that it is held against.

    ``stripe`` asks for localstripe beside it.
    """
    async with AsyncExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="kassa-bench-"))
        os.chmod(name, 0o711)  # noqa: PTH101, S103 - the server's own user has to come in, and nothing else runs yet
        folder = Path(name)
        told = await stack.enter_async_context(sink.listening())
        compared: list[Tree] = [stack.enter_context(trees.checked_out(against))] if against else []
        contenders = []
        for tree in (*compared, trees.present()):
            side = await stack.enter_async_context(sides.opened(tree, folder / tree.name, told))
            contenders.append(Contender(side=side, clients=clients))
            await contenders[-1].open(size, seconds=seconds)
        python = await asyncio.to_thread(localstripe.installed) if stripe else None
        beside = await stack.enter_async_context(localstripe.running(python, folder)) if python else None
        for _ in range(rounds):
            for each in contenders:
                await each.turn(seconds)
            if beside:
                await beside.turn(seconds)
        return Found(contenders=contenders, beside=beside)
