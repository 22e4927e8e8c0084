"""What PostgreSQL does without us: ``pgbench`` says the statements of ``invoices.tables``, prepared, and no more."""

import asyncio
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from kassa.db import binaries
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.invoices.tables import carrying
from kassa.invoices.tables import snapshots as queries

CLIENTS: Final = 16
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_NUMBER: Final = re.compile(r"\$(\d+)")
_FRESH: Final = "\\set n random(1, 1000000000000)\n"
_NEW: Final = {
    "invoice_id": "left(:invoice_id, 8) || lpad((:n)::text, 12, '0')",
    "session_id": "left(:session_id, 8) || lpad((:n)::text, 12, '0')",
    "reference_id": "'bare ' || (:n)::text",
}


async def creations(owner: asyncpg.Connection, url: str, invoice_id: str, *, seconds: float) -> float:
    """Return how many invoices like this one the creation's statement writes a second."""
    account_id = await owner.fetchval("SELECT account_id FROM invoices WHERE invoice_id = $1", invoice_id)
    found = await queries.by_id(owner, invoice_id, account_id=account_id)
    assert found is not None
    invoice = found.invoice
    event = Event(kind="invoice.created", by="merchant")
    change = Change(before=None, after=Snapshot(invoice=invoice, payment=None), at=invoice.created_at, event=event)
    statement = carrying._statement(change, None)
    new = {getattr(invoice, member): text for member, text in _NEW.items() if getattr(invoice, member)}
    values = {f"p{place}": _text(value) for place, value in enumerate(statement.values, 1) if value is not None}

    def parameter(found: re.Match[str]) -> str:
        """A value of the statement as a parameter; what has to be new each time, and what is not there."""
        value = statement.values[int(found[1]) - 1]
        if value is None:
            return "NULL"
        return new.get(value, f":p{found[1]}") if isinstance(value, str) else f":p{found[1]}"

    return await _run(url, _FRESH + _NUMBER.sub(parameter, statement.text), values, seconds=seconds)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def reads(owner: asyncpg.Connection, url: str, invoice_id: str, *, size: int, seconds: float) -> float:
    """Return how many of the copies the statement of a read by id reads a second."""
    account_id = await owner.fetchval("SELECT account_id FROM invoices WHERE invoice_id = $1", invoice_id)
    chosen = "(:prefix || substr(md5((:n)::text), 1, 12))"
    text = queries._BY_ID.replace("$1", ":account_id").replace("$2", chosen)
    values = {"account_id": account_id, "prefix": invoice_id[:8]}
    return await _run(url, f"\\set n random(1, {size})\n{text}", values, seconds=seconds)


async def _run(url: str, text: str, values: Mapping[str, str], *, seconds: float) -> float:
    parts, script = urlsplit(url), (text.strip() + ";\n").encode()
    command = [
        *(str(binaries._installed() / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}"),
        *(f"--time={max(1, round(seconds))}", "--file=-"),
        *(f"--define={name}={value}" for name, value in values.items()),
    ]
    environment = {
        **os.environ,
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": Path(parts.path).name,
        "PGOPTIONS": "-c role=kassa_app -c timezone=UTC",
    }
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate(script)
    found = _TPS.search(out.decode())
    assert process.returncode == 0, err.decode()
    assert found is not None, out.decode()
    return float(found[1])
