"""Runs one command of ``kassa`` as its user does, as a process of its own."""

import asyncio
import atexit
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import msgspec

from tests.support.preloaded import NUMBER, Preloaded

_PATIENCE_SECONDS = 90


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
    pipes = [os.pipe() for _ in range(3)]
    (stdin, keyboard), (out, stdout), (err, stderr) = pipes
    answer = _preloaded().begin(words, {**inherited, **environment}, [stdin, stdout, stderr])
    for theirs in (stdin, stdout, stderr):
        os.close(theirs)
    reader, writer = await asyncio.open_connection(sock=answer)
    pid = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            printed = asyncio.gather(_read(out), _read(err), asyncio.to_thread(_type, keyboard, typed))
            (pid,) = NUMBER.unpack(await reader.readexactly(NUMBER.size))
            out_bytes, err_bytes, _ = await printed
            (status,) = NUMBER.unpack(await reader.readexactly(NUMBER.size))
    except BaseException:
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        raise
    finally:
        writer.close()
    return Ran(status=status, out=out_bytes.decode(), err=err_bytes.decode())


@cache
def _preloaded() -> Preloaded:
    """Return the one that all tests of this process share; it ends with us."""
    started = Preloaded()
    atexit.register(started.close)
    return started


async def _read(pipe: int) -> bytes:
    reader = asyncio.StreamReader()
    with os.fdopen(pipe, "rb", 0) as file:
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, file)
        try:
            return await reader.read()
        finally:
            transport.close()


def _type(pipe: int, text: str) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(pipe, "wb", 0) as file:
        file.write(text.encode())
