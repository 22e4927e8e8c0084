"""``kassa rates``: what currencies are worth in each other, as banks tell it and as the operator sets it."""

import asyncio
import os
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import typer

from kassa import config
from kassa.cli import printing
from kassa.cli.opened import opened
from kassa.errors import Invalid, KassaError, RatesUnreadable
from kassa.invoices.lifetime import moment
from kassa.outbound import Outbound
from kassa.rates import operations, queries
from kassa.rates.model import BANKS, Quote, Source, to_text

_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)

app = typer.Typer(no_args_is_help=True, help="Exchange rates, for invoices in another currency than their service's.")


@app.command("list")
def list_rates(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every source's last rates, also those that are too old for live mode."""
    found = asyncio.run(_list())
    if as_json:
        printing.document(found)
    else:
        _print(found)


@app.command()
def update(
    sources: Annotated[
        list[Source] | None, typer.Argument(metavar="SOURCE", help="ecb, nbu, cbr; all of them.")
    ] = None,
) -> None:
    """Ask banks for their rates; to be run every day, as by cron.

    What one bank fails to tell keeps no other's from being written; then the exit code is 1.
    """
    failures = asyncio.run(_update(sources or list(BANKS)))
    if failures:
        raise RatesUnreadable("; ".join(failures))


@app.command()
def add(
    base: Annotated[str, typer.Argument(metavar="FROM", help="The currency that has a price, such as USD.")],
    quote: Annotated[str, typer.Argument(metavar="TO", help="The currency that it is told in, such as UAH.")],
    rate: Annotated[str, typer.Argument(metavar="RATE", help="How much of TO one unit of FROM is, such as 41.5.")],
    *,
    until: Annotated[str | None, typer.Option(metavar="MOMENT", help="When it ends: ISO 8601 or unix seconds.")] = None,
) -> None:
    """Set a rate by hand. It goes before every bank's, in this direction, until it ends or is removed."""
    end = moment(until) if until is not None else None
    if until is not None and end is None:
        raise Invalid({"--until": "This value should be a moment in ISO 8601, or unix seconds."})
    _print([asyncio.run(_add(base.upper(), quote.upper(), _number(rate), end))])


@app.command()
def remove(
    base: Annotated[str, typer.Argument(metavar="FROM")], quote: Annotated[str, typer.Argument(metavar="TO")]
) -> None:
    """End a rate that was set by hand; banks are asked again."""
    asyncio.run(_remove(base.upper(), quote.upper()))
    typer.echo(f"{base.upper()} to {quote.upper()} is no longer set by hand.")


async def _list() -> list[Quote]:
    async with opened() as kassa:
        return await queries.latest(kassa.pool, now=kassa.clock.real())


async def _update(sources: Sequence[Source]) -> list[str]:
    failures: list[str] = []
    settings = config.load(os.environ)
    async with opened() as kassa, Outbound(settings) as outbound:
        for source in sources:
            if source not in BANKS:
                failures.append(f"{source}: nobody is asked for these rates, add sets them")
                continue
            try:
                found = await operations.update(kassa.pool, outbound, settings, source, now=kassa.clock.real())
            except KassaError as error:
                failures.append(f"{source}: {error}")
            else:
                typer.echo(f"{source}: {len(found)} rates of {found[0].valid_from:%Y-%m-%d}")
    return failures


async def _add(base: str, quote: str, rate: Decimal, until: datetime | None) -> Quote:
    async with opened() as kassa:
        now = kassa.clock.real()
        return await operations.add(kassa.pool, base=base, quote=quote, rate=rate, valid_until=until, now=now)


async def _remove(base: str, quote: str) -> None:
    async with opened() as kassa:
        await operations.remove(kassa.pool, base=base, quote=quote, now=kassa.clock.real())


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise Invalid({"RATE": "This value should be a number, such as 41.5."})
    return Decimal(text)


def _print(quotes: Sequence[Quote]) -> None:
    printing.columns(
        ("source", "from", "to", "rate", "since", "until"),
        (
            (
                each.source,
                each.base,
                each.quote,
                to_text(each.rate),
                f"{each.valid_from:%Y-%m-%d %H:%M}",
                f"{each.valid_until:%Y-%m-%d %H:%M}" if each.valid_until else "",
            )
            for each in quotes
        ),
    )
