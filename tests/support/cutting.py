"""A line to the database that breaks: before a message has arrived there, or after, with its answer lost."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_CHUNK: Final = 65536
_WRITES: Final = re.compile(rb"\b(INSERT INTO|DELETE FROM|(?<!FOR )(?<!KEY )UPDATE) \w|^COMMIT\b")


@dataclass(kw_only=True)
class Line:
    """The line: how likely it breaks at a message, and how often it has."""

    url: str
    chance: float = 0.0
    """Of a break at a message to the database; one that writes or commits breaks ten times as often."""
    cuts: int = 0
    cut_writes: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(20261124))  # noqa: S311

    def breaks(self, *, writes: bool) -> bool:
        """Throw the dice for a message."""
        if self.dice.random() >= self.chance * (10 if writes else 1):
            return False
        self.cuts += 1
        self.cut_writes += writes
        return True


class _Heard:
    """What Kassa says on one connection: which of it writes. A statement is prepared once, and then run by its name."""

    def __init__(self) -> None:
        self._rest = b""
        self._writing: set[bytes] = set()

    def writes(self, chunk: bytes) -> bool:
        """Tell whether what was just said runs a statement that writes, or commits."""
        self._rest += chunk
        found = False
        # A message is a letter, its length without that, and its body; those that begin a connection have no letter.
        while len(self._rest) >= 5:
            begins = 0 if self._rest[:1] == b"\0" else 1
            ends = begins + int.from_bytes(self._rest[begins : begins + 4], "big")
            if len(self._rest) < ends:
                break
            kind, body = self._rest[:begins], self._rest[begins + 4 : ends]
            self._rest = self._rest[ends:]
            found = self._runs(kind, body) or found
        return found

    def _runs(self, kind: bytes, body: bytes) -> bool:
        if kind == b"P":
            name, text, *_ = body.split(b"\0")
            (self._writing.add if _WRITES.search(text) else self._writing.discard)(name)
        if kind == b"B":
            _, name, *_ = body.split(b"\0")
            return name in self._writing
        return kind == b"Q" and _WRITES.search(body) is not None


class _Connection:
    """One connection, in both directions."""

    def __init__(self, line: Line, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._line = line
        self._near = near
        self._far = far
        self._heard = _Heard()
        self._deaf = False

    async def there(self, reader: asyncio.StreamReader) -> None:
        """Carry what Kassa says; break before it arrives, or let the answer be the last that is never heard."""
        while message := await reader.read(_CHUNK):
            if not self._deaf and self._line.breaks(writes=self._heard.writes(message)):
                if self._line.dice.random() < 0.5:
                    break
                self._deaf = True
            self._far.write(message)
            await self._far.drain()
        self.end()

    async def back(self, reader: asyncio.StreamReader) -> None:
        """Carry what the database says."""
        while message := await reader.read(_CHUNK):
            if self._deaf:
                break
            self._near.write(message)
            await self._near.drain()
        self.end()

    def end(self) -> None:
        """Break both sides."""
        self._near.close()
        self._far.close()


@asynccontextmanager
async def laid(database_url: str) -> AsyncIterator[Line]:
    """Lay a line to a database; it is whole until a chance is set."""
    target = urlsplit(database_url)

    async def carry(near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        far_reader, far = await asyncio.open_connection(target.hostname, target.port)
        connection = _Connection(line, near, far)
        await asyncio.gather(connection.there(near_reader), connection.back(far_reader), return_exceptions=True)
        connection.end()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = Line(url=target._replace(netloc=f"{target.username}:{target.password}@127.0.0.1:{port}").geturl())
    try:
        yield line
    finally:
        server.close()
