"""Copies of a database that was made and migrated once: making one anew takes longer than most tests.

What Kassa's first start makes is tested where that is the subject.
"""

import asyncio
import atexit
import shutil
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path

from kassa.db import embedded, migrate
from kassa.db.embedded import Server

_making = threading.Lock()


async def lay(home: Path) -> None:
    """Make a home that holds a migrated database and nothing else, unless there is a home already."""
    await asyncio.to_thread(_lay, home)


async def copy(folder: Path) -> None:
    """Put the files of an embedded server into a folder that is not there yet: its data, its password, its programs."""
    await asyncio.to_thread(_copy, folder)


def _lay(home: Path) -> None:
    if home.exists():
        return
    home.mkdir()
    home.chmod(embedded.folder_mode())
    _copy(home / "postgres")


def _copy(folder: Path) -> None:
    with _making:
        made = _made()
    # Another user owns the data where root runs the tests, and stays its owner.
    subprocess.run(["/bin/cp", "-Rp", str(made), str(folder)], check=True)


@cache
def _made() -> Path:
    home = Path(tempfile.mkdtemp(prefix="kassa-seed-"))
    atexit.register(shutil.rmtree, home)
    home.chmod(embedded.folder_mode())
    # In a thread of its own there is no other loop, and the server lives no longer than it does.
    asyncio.run(_make(home / "postgres"))
    return home / "postgres"


async def _make(folder: Path) -> None:
    server = Server(folder, port=0)
    await server.start()
    try:
        await migrate.migrate(server.url)
    finally:
        await server.stop()
    (folder / "log").unlink()
