"""``kassa migrate``: brings the database up to date."""

import asyncio
import os

import typer

from kassa import config
from kassa.db import migrate as migrations
from kassa.db.home import open_database


def migrate() -> None:
    """Apply the migrations that the database waits for; nothing happens when there are none."""
    asyncio.run(_migrate())


async def _migrate() -> None:
    async with open_database(config.load(os.environ), migrated=False, creates=True) as url:
        applied = await migrations.migrate(url)
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("The database is up to date.")
