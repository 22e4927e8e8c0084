"""The long form: every life, every place that it meets, the first three times there (``make torture``)."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from kassa import failpoints
from tests.support import life as lives
from tests.support import merchant as merchants
from tests.support import visitor as visitors
from tests.torture.lives import LIVES
from tests.torture.rig import Rig

TIMES: Final = 3

_console = Console()


async def main() -> int:
    """Run all cases, tell what broke, and return how much that was."""
    cases = [(life, point, times) for life in LIVES for point in sorted(life.meets) for times in range(1, TIMES + 1)]
    broken: list[str] = []
    kills, started = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kassa-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 (nothing else runs yet; the database runs as somebody else)
        orders = folder / "orders"
        async with lives.lived(folder) as kassa, merchants.listening() as merchant, visitors.visiting() as payer:
            kassa.environment[failpoints.VARIABLE] = str(orders)
            rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=orders)
            for life, point, times in track(cases, console=_console, description="Dying"):
                try:
                    kills += await rig.live(life, point, times)
                except AssertionError as error:
                    broken.append(f"{life.name}, {point} {times}: {error}")
                    _console.print(broken[-1], style="red")
                merchant.received.clear()
    seconds = time.monotonic() - started
    _console.print(f"{len(cases)} lives, {kills} kills in {seconds:.0f} s, {len(broken)} broken")
    return len(broken)


if __name__ == "__main__":
    sys.exit(bool(asyncio.run(main())))
