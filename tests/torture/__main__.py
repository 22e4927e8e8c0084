"""The long form: every life, every place that it reaches, and the storms (``make torture``)."""

import asyncio
import logging
import os
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from kassa import failpoints
from tests.support import life as lives
from tests.support import merchant as merchants
from tests.support import office as offices
from tests.support import postgres, serving
from tests.support import visitor as visitors
from tests.support.life import Life as Kassa
from tests.support.merchant import Merchant
from tests.torture import backlog, backups, cuts, storms
from tests.torture.lives import LIVES
from tests.torture.rig import Rig

DATABASE_KILLS: Final = 100
CUTS: Final = 1000
FULL_DISKS: Final = 10
BACKUPS: Final = 20
CALLBACKS: Final = 10_000
MINUTES: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How it is run."""

    share: float
    """How much of its full length each part has."""
    seed: int
    """What chance is drawn from: the same one brings the same."""

    def of(self, count: int) -> int:
        """Return as many as there are to be of so many."""
        return max(1, round(count * self.share))


Part = Callable[[Path, Plan], Awaitable[object]]
"""Runs in a folder, and returns what to tell. Raises ``AssertionError`` where it broke."""

_console = Console(soft_wrap=True)


async def _deaths(folder: Path, plan: Plan) -> object:
    broken: list[str] = []
    lived = kills = 0
    async with _place(folder) as (kassa, merchant), visitors.visiting() as payer:
        orders = folder / "orders"
        kassa.environment[failpoints.VARIABLE] = str(orders)
        rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=orders)
        for life in LIVES:
            places = await rig.reached(life)
            for place in range(1, places + 1, max(1, round(1 / plan.share))):
                lived += 1
                try:
                    kills += await rig.live(life, place)
                except AssertionError as error:
                    broken.append(f"{life.name}, {place}: {error}")
                    _console.print(broken[-1], style="red")
                merchant.received.clear()
            _console.print(f"{life.name}: {places} places; {lived} lives, {kills} kills, {len(broken)} broken")
    assert not broken, f"{len(broken)} of {lived} lives broken"
    return f"{kills} kills in {lived} lives, at each place that they reach, and the books agree"


async def _killed(folder: Path, plan: Plan) -> object:
    async with _place(folder) as (kassa, merchant):
        return await storms.database_killed(kassa, merchant, kills=plan.of(DATABASE_KILLS))


async def _soak(folder: Path, plan: Plan) -> object:
    async with _place(folder) as (kassa, merchant):
        return await storms.soaked(kassa, merchant, minutes=MINUTES * plan.share, seed=plan.seed)


async def _disk(folder: Path, plan: Plan) -> object:
    if os.geteuid():
        return "Not root: the full disk is left out, for nobody else can make a small one."
    with storms.small_disk(folder) as disk:
        async with _place(disk / "full") as (kassa, merchant):
            return await storms.disk_filled(kassa, merchant, times=plan.of(FULL_DISKS))


@asynccontextmanager
async def _database(folder: Path) -> AsyncIterator[str]:
    """Run a database that is not Kassa's own, in a folder that is made for it."""
    folder.mkdir(mode=0o755)  # noqa: ASYNC240 (nothing else runs yet)
    async with postgres.server(folder) as template_url, postgres.database(template_url) as database:
        yield database.url


async def _cuts(folder: Path, plan: Plan) -> object:
    async with _database(folder) as url, merchants.listening() as merchant, visitors.visiting() as payer:
        return await cuts.cut(folder, url, merchant, payer, cuts=plan.of(CUTS))


async def _backups(folder: Path, plan: Plan) -> object:
    async with _database(folder) as url, merchants.listening() as merchant:
        return await backups.backed_up(folder, url, merchant, backups=plan.of(BACKUPS))


async def _backlog(folder: Path, plan: Plan) -> object:
    folder.mkdir(mode=0o755)  # noqa: ASYNC240 (nothing else runs yet)
    async with (
        serving.running(folder) as kassa,
        offices.opened(kassa) as office,
        merchants.listening() as merchant,
    ):
        return await backlog.drained(office, merchant, count=plan.of(CALLBACKS))


PARTS: Final[dict[str, Part]] = {
    "deaths": _deaths,
    "killed": _killed,
    "soak": _soak,
    "cuts": _cuts,
    "backlog": _backlog,
    "backups": _backups,
    "disk": _disk,
}


def main(
    *,
    part: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(PARTS)}; all, unless it is given.")] = None,
    share: Annotated[float, typer.Option(help="How much of its length each part has: 0.1 is a tenth.")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="The moments of the kills, as a run before told them.")] = None,
) -> None:
    """Run everything, and tell what broke; exit code 1 if anything did."""
    plan = Plan(share=share, seed=secrets.randbelow(1_000_000) if seed is None else seed)
    # What the tests' own connections to a killed database have to say.
    for name in ("aiohttp.server", "asyncio", "asyncpg"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="kassa-") as name:
        Path(name).chmod(0o755)  # the database runs as somebody else
        whole = [asyncio.run(_told(each, Path(name) / each, plan)) for each in part or PARTS]
    sys.exit(not all(whole))


async def _told(name: str, folder: Path, plan: Plan) -> bool:
    """Run a part, say what came of it, and return whether all was well."""
    began = time.monotonic()
    try:
        _console.print(f"{await PARTS[name](folder, plan)} ({time.monotonic() - began:.0f} s)")
    except AssertionError as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        _console.print(f"BROKEN, {name}: {error} ({place.name}: {place.line})", style="red", markup=False)
        return False
    return True


@asynccontextmanager
async def _place(folder: Path) -> AsyncIterator[tuple[Kassa, Merchant]]:
    folder.mkdir(mode=0o755)  # noqa: ASYNC240 (nothing else runs yet)
    async with lives.lived(folder) as kassa, merchants.listening() as merchant:
        yield kassa, merchant


if __name__ == "__main__":
    typer.run(main)
