"""``kassa clock``: shows and moves the clock of test mode, for everything that waits at once."""

import asyncio
import re
from datetime import timedelta
from typing import Annotated, Final

import typer

from kassa.cli.opened import opened
from kassa.db import queries
from kassa.errors import Invalid

TEST_OFFSET_MAX: Final = timedelta(days=3650)

_DURATION: Final = re.compile(r"(?:([0-9]{1,5})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,7})m)?(?:([0-9]{1,9})s)?")

app = typer.Typer(no_args_is_help=True, help="The clock of test mode: expiry, retries and reports follow it.")


@app.command()
def show() -> None:
    """Show the time of test mode and how far it is ahead."""
    asyncio.run(_show())


@app.command()
def advance(duration: Annotated[str, typer.Argument(help="How far: 3h, 90m, 2d, 1h30m, 45s.")]) -> None:
    """Move test mode on in time."""
    asyncio.run(_advance(read_duration(duration)))


@app.command()
def reset() -> None:
    """Bring test mode back to real time. Test invoices made in the meantime then lie in the future."""
    asyncio.run(_reset())


def read_duration(text: str) -> timedelta:
    """Return a duration from text such as ``1h30m``. Raises ``Invalid`` for anything else, and for none at all."""
    match = _DURATION.fullmatch(text.strip().lower())
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups()) if match else (0, 0, 0, 0)
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise Invalid({"duration": "This value should be a time such as 3h, 90m, 2d or 1h30m."})
    return duration


async def _show() -> None:
    async with opened() as kassa:
        kassa.clock.test_offset = await queries.test_offset(kassa.pool)
        now = kassa.clock.now(test_mode=True)
        typer.echo(f"{now:%Y-%m-%d %H:%M:%S} UTC in test mode, {_ahead(kassa.clock.test_offset)}")


async def _advance(step: timedelta) -> None:
    async with opened() as kassa:
        moved = await queries.advance_test_offset(kassa.pool, step=step, test_offset_max=TEST_OFFSET_MAX)
    if moved is None:
        raise Invalid({"duration": f"Test mode goes no further than {TEST_OFFSET_MAX.days} days ahead."})
    await _show()


async def _reset() -> None:
    async with opened() as kassa:
        await queries.save_test_offset(kassa.pool, test_offset=timedelta())
    await _show()


def _ahead(offset: timedelta) -> str:
    return f"{offset} ahead of real time" if offset else "the same as real time"
