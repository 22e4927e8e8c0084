"""Runs one command of ``kassa`` as its user does, as a process of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_PATIENCE_SECONDS = 45


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What came of a command."""

    status: int
    out: str
    err: str

    def document(self) -> object:
        """Return the JSON that it printed; it has to have ended well."""
        assert self.status == 0, self.err
        return msgspec.json.decode(self.out)


async def run(*words: str, environment: Mapping[str, str], typed: str = "") -> Ran:
    """Run ``kassa`` with these words, settings and standard input, and wait for its end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KASSA_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kassa", *words),
        env={**inherited, **environment},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(typed.encode()), _PATIENCE_SECONDS)
    return Ran(status=process.returncode or 0, out=out.decode(), err=err.decode())
