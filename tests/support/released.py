"""The schema as it was released: a database of each, kept as SQL, and the hashes of the migrations that made it.

``python -m tests.support.released`` keeps the database of today's migrations, and the hashes of the files that are new.
"""

import asyncio
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import asyncpg

from kassa.accounts.model import Account
from kassa.db import binaries, migrate
from kassa.invoices.rules.invoice import Invoice
from kassa.ledger import operations as ledger
from tests.support import other_rows, postgres
from tests.support import world as worlds
from tests.support.world import World

FOLDER: Final = Path(__file__).parents[1] / "db" / "released"
HASHES: Final = FOLDER / "hashes.txt"
ROOT: Final = "A" * 43
"""The root of the databases that are kept: 32 zero bytes, so it is no secret."""
OPEN: Final = "left-open"
PAID: Final = "paid-for"
"""The invoices that each has, by their reference."""


def hashed(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each migration in a folder, in hex, by its name."""
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.sql"))}


def hashes() -> dict[str, str]:
    """Return the hashes of the files that were released."""
    lines = HASHES.read_text().splitlines() if HASHES.exists() else []
    return {name: digest for digest, name in (line.split() for line in lines)}


def schema(url: str) -> list[str]:
    """Return the statements that make a database's schema; lines are sorted, as columns may stand in any order."""
    statements = _dumped(url, "--schema-only").split(";\n\n")
    return sorted("\n".join(sorted(line.strip().rstrip(",") for line in each.splitlines())) for each in statements)


def kept() -> dict[str, str]:
    """Return the databases that were kept, as SQL, by the name of the last migration in each."""
    return {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.sql"))}


async def restore(url: str, statements: str) -> None:
    """Make a database that was kept anew in an empty one."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


def _dumped(url: str, *options: str) -> str:
    command = [str(binaries._installed() / "pg_dump"), "--no-owner", "--enable-row-security", *options, url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Comments, psql's own commands, and what makes two dumps of one database differ.
    lines = [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]
    return re.sub(r";\n(?=[A-Z])", ";\n\n", "\n".join(lines) + "\n")


async def live(world: World, account: Account, **asked: str) -> Invoice:
    """Create an invoice, pay it, refund a part, and number what was booked."""
    invoice = await world.invoice(account, **asked)
    await world.pay(invoice)
    await world.refund(invoice, 1)
    await ledger.number(world.pool, account_id=account.account_id, test_mode=True)
    return invoice


async def _fill(world: World) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    await world.set_terms(account, reserve_rate="10", reserve_lifetime="60")
    await world.invoice(account, reference_id=OPEN)
    paid = await live(world, account, reference_id=PAID)
    # What is booked last waits for its number.
    await world.refund(paid, 2)


async def _made(home: Path) -> str:
    async with postgres.server(home) as url, postgres.database(url) as database:
        async with worlds.opened(database, home, secret_key=ROOT) as world:
            await _fill(world)
        await other_rows.add(database.url)
        return _dumped(database.url, "--inserts", "--rows-per-insert=100")


def _keep() -> None:
    now = hashed(migrate.FOLDER)
    last = max(now)
    if last in kept():
        raise SystemExit(f"The database of {last} is kept already, and stays as it is.")
    home = Path(tempfile.mkdtemp(prefix="kassa-test-"))
    home.chmod(0o711)
    try:
        text = asyncio.run(_made(home))
    finally:
        shutil.rmtree(home)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{last}.sql").write_text(text)
    # What was released keeps its hash, so that a file that was changed since is still found.
    HASHES.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted((now | hashes()).items())))


if __name__ == "__main__":
    _keep()
