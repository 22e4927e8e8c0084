"""A ``kassa`` whose modules are imported already: each command is a process of its own that forks from it.

Most of a short command's time goes into importing the gateway, hundreds of times in a run of all tests. What a command
gets is what it always gets: its words, its environment, its standard streams; and it ends as it always ends. Tests that
are about importing, signals or terminals start an interpreter of their own.
"""

import gc
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import msgspec

import kassa.cli
from kassa.cli.lazy import COMMANDS

NUMBER: Final = struct.Struct("!i")
"""How the length of a call is sent, and what is answered: first the command's process id, then its exit status."""

_STREAMS: Final = 4
"""Standard input, output and error, and the line of the answer."""
_ENTRY: Final = str(Path(kassa.cli.__file__).parents[1] / "__main__.py")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One command: its words after ``kassa``, and the whole of its environment."""

    words: list[str]
    environment: dict[str, str]


class Preloaded:
    """The process that commands fork from; it ends when this side of its line is closed, at the latest with us."""

    def __init__(self) -> None:
        """Start it; it imports the gateway while the first call waits."""
        self._line, theirs = socket.socketpair()
        with theirs:
            # Not to a terminal: what goes to one is buffered and coloured in another way.
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def begin(self, words: Sequence[str], environment: Mapping[str, str], streams: Sequence[int]) -> socket.socket:
        """Start a command on three streams, and return the line on which two ``NUMBER`` will answer."""
        answer, theirs = socket.socketpair()
        call = msgspec.json.encode(Call(words=list(words), environment=dict(environment)))
        with theirs:
            socket.send_fds(self._line, [NUMBER.pack(len(call))], [*streams, theirs.fileno()])
            self._line.sendall(call)
        return answer

    def close(self) -> None:
        """End it; commands that run go on."""
        self._line.close()
        self._process.wait()


def main() -> None:
    """Wait for calls, and return in a process of its own for each: one that has become the command."""
    line = socket.socket(fileno=int(sys.argv[1]))
    for place in COMMANDS.values():
        import_module(f"kassa.cli.{place.module}")
    gc.freeze()
    # Whoever watches over a command needs no farewell.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        head, streams, _, _ = socket.recv_fds(line, NUMBER.size, _STREAMS)
        if not head:
            os._exit(0)
        call = msgspec.json.decode(_read(line, *NUMBER.unpack(head)), type=Call)
        if os.fork() == 0:
            line.close()
            return _become(call, streams)
        for stream in streams:
            os.close(stream)


def _read(line: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += line.recv(size - len(received))
    return received


def _become(call: Call, streams: list[int]) -> None:
    """Return as the command; its parent stays behind to tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    answer = socket.socket(fileno=streams.pop())
    if command:
        for stream in streams:
            os.close(stream)
        answer.sendall(NUMBER.pack(command))
        _, status = os.waitpid(command, 0)
        answer.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
        os._exit(0)
    answer.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(call.environment)
    sys.argv = [_ENTRY, *call.words]


if __name__ == "__main__":
    main()
    kassa.cli.main()
