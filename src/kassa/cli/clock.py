"""``kassa clock``: shows and moves the clock of test mode, for everything that waits at once."""

import re
from datetime import timedelta
from typing import Annotated, Final

import typer

from kassa.cli import printing
from kassa.cli.commands import command, group
from kassa.cli.opened import Opened, opened
from kassa.cli.printing import Shown
from kassa.db import queries
from kassa.errors import Invalid

TEST_OFFSET_MAX: Final = timedelta(days=3650)

_DURATION: Final = re.compile(r"(?:([0-9]{1,5})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,7})m)?(?:([0-9]{1,9})s)?")

app = group("Test mode's clock: expiry, retries and reports follow it.")


@command(app, "show", opened)
async def show(kassa: Opened) -> Shown:
    """Show the time of test mode and how far it is ahead."""
    return await _shown(kassa)


@command(app, "advance", opened, "kassa clock advance 31m", "kassa clock advance 1d")
async def advance(
    kassa: Opened, duration: Annotated[str, typer.Argument(help="How far: 3h, 90m, 2d, 1h30m, 45s.")]
) -> Shown:
    """Move test mode on in time."""
    step = read_duration(duration)
    moved = await queries.advance_test_offset(kassa.pool, step=step, test_offset_max=TEST_OFFSET_MAX)
    if moved is None:
        raise Invalid({"duration": f"Test mode goes no further than {TEST_OFFSET_MAX.days} days ahead."})
    return await _shown(kassa)


@command(app, "reset", opened)
async def reset(kassa: Opened) -> Shown:
    """Bring test mode back to real time. Test invoices made in the meantime then lie in the future."""
    await queries.save_test_offset(kassa.pool, test_offset=timedelta())
    return await _shown(kassa)


def read_duration(text: str) -> timedelta:
    """Return a duration from text such as ``1h30m``. Raises ``Invalid`` for anything else, and for none at all."""
    match = _DURATION.fullmatch(text.strip().lower())
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups()) if match else (0, 0, 0, 0)
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise Invalid({"duration": "This value should be a time such as 3h, 90m, 2d or 1h30m."})
    return duration


async def _shown(kassa: Opened) -> Shown:
    offset = await queries.test_offset(kassa.pool)
    kassa.clock.test_offset = offset
    now = kassa.clock.now(test_mode=True)
    document = {"test_mode": now, "ahead_seconds": int(offset.total_seconds())}
    return printing.line(f"{now:%Y-%m-%d %H:%M:%S} UTC in test mode, {_ahead(offset)}", document)


def _ahead(offset: timedelta) -> str:
    return f"{offset} ahead of real time" if offset else "the same as real time"
