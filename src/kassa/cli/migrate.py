"""``kassa migrate``: brings the database up to date."""

import asyncio
import os
from typing import Annotated

import typer

from kassa import config
from kassa.cli import printing
from kassa.db import migrate as migrations
from kassa.db.home import open_database


def migrate(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Apply the migrations that the database waits for; nothing happens when there are none."""
    applied = asyncio.run(_migrate())
    if as_json:
        printing.document({"applied": applied})
        return
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("The database is up to date.")


async def _migrate() -> list[str]:
    async with open_database(config.load(os.environ), migrated=False, creates=True) as url:
        return await migrations.migrate(url)
