"""Measure Kassa on this machine, all in one run, and print a table (``make bench``)."""

import asyncio
import os
import platform
import tempfile
from pathlib import Path
from typing import Annotated, Final

import asyncpg
import psutil
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench import comparing, postings, report, sink, slow_clients
from tests.bench.gateway import Bench, Line
from tests.support import office, serving

_console = Console(width=120)
SIZES: Final = "10000,1000000"
_COLUMNS: Final = ("per second", "p50 ms", "p99 ms", "Kassa µs", "PostgreSQL µs", "bare statement/s", "ratio")


def main(
    *,
    size: Annotated[str, typer.Option(help="Invoices in the database: a measurement for each number.")] = SIZES,
    seconds: Annotated[float, typer.Option(help="How long each thing is measured.")] = 6.0,
    booking: Annotated[bool, typer.Option(help="Measure postings to the ledger as well.")] = True,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="Measure this commit and the present tree in turn, at the least size, and nothing else.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often what is compared takes its turn.")] = 3,
    clients: Annotated[int, typer.Option(min=1, help="How many at once measure what is compared.")] = comparing.CLIENTS,
    statements: Annotated[bool, typer.Option(help="Print each statement of each life.")] = False,
    stripe: Annotated[bool, typer.Option("--localstripe/--no-localstripe", help="Measure it beside us.")] = True,
) -> None:
    """Measure Kassa on this machine, and print tables."""
    sizes = sorted(int(each) for each in size.split(","))
    _console.print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if not against:
            runner.run(_gateway(sizes, seconds))
        compared = comparing.run(
            against=against, size=sizes[0], seconds=seconds, rounds=rounds, stripe=stripe, clients=clients
        )
        report.show(_console, runner.run(compared), all_statements=statements)
        if booking and not against:
            runner.run(postings.measure())
    if not against:
        asyncio.run(slow_clients.main())


async def _gateway(sizes: list[int], seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as name:
        os.chmod(name, 0o711)  # noqa: PTH101, S103 - the server's own user has to come in, and nothing else runs yet
        async with serving.running(Path(name)) as running, office.opened(running) as opened, sink.listening() as told:
            owner = await asyncpg.connect(running.served.database_url)
            process = psutil.Process(running.process.pid)
            bench = Bench(
                office=opened, owner=owner, served=running.served, process=process, sink=told, seconds=seconds
            )
            await bench.open()
            table = Table(*("what", *_COLUMNS))
            before: list[Line] = []
            for size in sizes:
                filled = await bench.grow(size)
                _console.print(f"{size:,} invoices, filled in {filled:.0f} s")
                lines = await bench.lines()
                _section(table, f"at {size:,} invoices", lines, before)
                before = before or lines
            await owner.close()
    _console.print(table)
    _console.print("* how long from the payer's yes at the bank's page to the callback, in the whole lives")
    _console.print(
        "µs: of the processors' time for each; Kassa's includes the fake bank's, PostgreSQL's all that it does"
    )


def _section(table: Table, title: str, lines: list[Line], before: list[Line]) -> None:
    table.add_row(title, style="bold")
    for place, line in enumerate(lines):
        rate = line.rate
        slower = f" ({rate.per_second / before[place].rate.per_second - 1:+.0%})" if before else ""
        table.add_row(
            line.what,
            f"{rate.per_second:,.0f}{slower}",
            *(f"{each:,.1f}" for each in (rate.p50, rate.p99)),
            *([f"{each:,.0f}" for each in rate.spent] or ("–", "–")),
            *(("–", "–") if line.bare is None else (f"{line.bare:,.0f}", f"{rate.per_second / line.bare:.2f}")),
        )
    table.add_section()


if __name__ == "__main__":
    typer.run(main)
