"""``kassa rates``: what currencies are worth in each other, as banks quote it and as the operator sets it."""

import os
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final

import typer

from kassa import config
from kassa.cli import printing
from kassa.cli.commands import command, group
from kassa.cli.opened import Opened, opened
from kassa.cli.printing import Shown
from kassa.errors import Invalid, KassaError
from kassa.invoices.creating.lifetime import moment
from kassa.outbound import Outbound
from kassa.rates import operations, queries
from kassa.rates.model import BANKS, Quote, Source, to_text

_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)

app = group("Exchange rates, for invoices in another currency than their service's.")


@command(app, "list", opened, "kassa rates list")
async def list_rates(kassa: Opened) -> Shown:
    """List every source's last rates, also those that are too old for live mode."""
    return _shown(await queries.latest(kassa.pool, now=kassa.clock.real()))


@command(app, "update", opened, "kassa rates update", "kassa rates update ecb nbu")
async def update(
    kassa: Opened,
    sources: Annotated[
        list[Source] | None, typer.Argument(metavar="SOURCE", help="ecb, nbu, cbr; else all of them.")
    ] = None,
) -> Shown:
    """Ask banks for their rates; to be run every day, as by cron.

    A bank that fails keeps no other's rates from being written; then the exit code is 1.
    """
    settings = config.load(os.environ)
    updated: list[Quote] = []
    failures: list[str] = []
    lines: list[str] = []
    async with Outbound(settings) as outbound:
        for source in sources or list(BANKS):
            if source not in BANKS:
                failures.append(f"{source}: there is no bank to ask, kassa rates add sets these rates")
                continue
            try:
                found = await operations.update(kassa.pool, outbound, settings, source, now=kassa.clock.real())
            except KassaError as error:
                failures.append(f"{source}: {error}")
            else:
                updated += found
                lines.append(f"{source}: {len(found)} rates of {found[0].valid_from:%Y-%m-%d}")
    return Shown(
        document=updated,
        words=lambda: typer.echo("\n".join(lines)) if lines else None,
        status=1 if failures else 0,
        notes=failures,
    )


@command(
    app, "add", opened, "kassa rates add USD UAH 41.5", "kassa rates add USD UAH 41.5 --until 2026-12-31T00:00:00Z"
)
async def add(
    kassa: Opened,
    base: Annotated[str, typer.Argument(metavar="FROM", help="The currency that has a price, such as USD.")],
    quote: Annotated[str, typer.Argument(metavar="TO", help="The currency of the price, such as UAH.")],
    rate: Annotated[str, typer.Argument(metavar="RATE", help="How much of TO one unit of FROM is, such as 41.5.")],
    *,
    until: Annotated[str | None, typer.Option(metavar="MOMENT", help="When it ends: ISO 8601 or unix seconds.")] = None,
) -> Shown:
    """Set a rate by hand. It goes before every bank's, in this direction, until it ends or is removed."""
    end = moment(until) if until is not None else None
    if until is not None and end is None:
        raise Invalid({"--until": "This value should be a moment in ISO 8601, or unix seconds."})
    added = await operations.add(
        kassa.pool,
        base=base.upper(),
        quote=quote.upper(),
        rate=_number(rate),
        valid_until=end,
        now=kassa.clock.real(),
    )
    return _shown([added])


@command(app, "remove", opened, "kassa rates remove USD UAH")
async def remove(
    kassa: Opened,
    base: Annotated[str, typer.Argument(metavar="FROM")],
    quote: Annotated[str, typer.Argument(metavar="TO")],
) -> Shown:
    """End a rate that was set by hand; banks are asked again."""
    base, quote = base.upper(), quote.upper()
    await operations.remove(kassa.pool, base=base, quote=quote, now=kassa.clock.real())
    return printing.line(f"{base} to {quote} is no longer set by hand.", {"base": base, "quote": quote})


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise Invalid({"RATE": "This value should be a number, such as 41.5."})
    return Decimal(text)


def _shown(quotes: Sequence[Quote]) -> Shown:
    lines = (
        (
            each.source,
            each.base,
            each.quote,
            to_text(each.rate),
            f"{each.valid_from:%Y-%m-%d %H:%M}",
            f"{each.valid_until:%Y-%m-%d %H:%M}" if each.valid_until else "",
        )
        for each in quotes
    )
    heads = ("source", "from", "to", "rate", "since", "until")
    return printing.rows(heads, lines, quotes, empty="There are no rates yet: kassa rates update asks the banks.")
