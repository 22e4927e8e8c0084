"""``kassa migrate``: brings the database up to date."""

import os
from contextlib import AbstractAsyncContextManager

from kassa import config
from kassa.cli import printing
from kassa.cli.commands import alone, command
from kassa.cli.printing import Shown
from kassa.db import migrate as migrations
from kassa.db.home import open_database

app = alone()


def _database() -> AbstractAsyncContextManager[str]:
    return open_database(config.load(os.environ), migrated=False, creates=True)


@command(app, "migrate", _database)
async def migrate(url: str) -> Shown:
    """Apply the migrations that the database waits for; nothing happens when there are none."""
    applied = await migrations.migrate(url)
    text = "\n".join(f"applied {name}" for name in applied) or "The database is up to date."
    return printing.line(text, {"applied": applied})
