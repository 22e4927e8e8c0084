"""Runs ``kassa`` as a person at a terminal does: all of its standard streams are one, and Ctrl-C is a key."""

import asyncio
import contextlib
import os
import pty
import re
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from typing import Final

from tests.support.waiting import until

_CTRL_C: Final = b"\x03"
_STOP_SECONDS: Final = 60
_START_SECONDS: Final = 90
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_ENTER: Final = "import os, sys; os.close(os.open(sys.argv[1], os.O_RDWR)); os.execv(sys.argv[2], sys.argv[2:])"
"""Opens the terminal by its name, which makes it the one that turns Ctrl-C into a signal, and becomes the program."""


class Terminal:
    """One run of ``kassa`` at a terminal."""

    def __init__(self, process: Process, keyboard: int) -> None:
        """Take the process and the side of the terminal at which the person sits."""
        self.process = process
        self._keyboard = keyboard
        self._seen = bytearray()

    @property
    def raw(self) -> str:
        """All that the screen was sent until now, colours included."""
        return self._seen.decode(errors="replace").replace("\r\n", "\n")

    @property
    def text(self) -> str:
        """All that the screen showed until now."""
        return _COLOURS.sub("", self.raw)

    def read(self) -> None:
        """Take what has been written since; a terminal that the last program has left has nothing more."""
        with contextlib.suppress(OSError):
            self._seen += os.read(self._keyboard, 65536)

    async def shows(self, text: str) -> None:
        """Wait until the screen has shown a text. Raises ``AssertionError`` when the program ends before."""
        await until(lambda: text in self.text or self.process.returncode is not None, seconds=_START_SECONDS, what=text)
        assert text in self.text, f"kassa ended with {self.process.returncode} and showed:\n{self.text}"

    async def interrupt(self) -> int:
        """Press Ctrl-C and return the exit status. Raises ``TimeoutError`` after a minute."""
        os.write(self._keyboard, _CTRL_C)
        return await asyncio.wait_for(self.process.wait(), _STOP_SECONDS)


@contextlib.asynccontextmanager
async def at_a_terminal(*words: str, environment: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """Run ``kassa`` with these words and settings in a session of its own, whose terminal is 80 by 24."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KASSA_")}
    keyboard, screen = pty.openpty()
    os.set_blocking(keyboard, False)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ENTER, os.ttyname(screen), sys.executable, "-m", "kassa", *words),
        env={**inherited, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **environment},
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
    )
    os.close(screen)
    terminal = Terminal(process, keyboard)
    asyncio.get_running_loop().add_reader(keyboard, terminal.read)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(keyboard)
        os.close(keyboard)
