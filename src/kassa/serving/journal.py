"""The last log lines of a running Kassa, kept in its home for ``kassa logs``: bounded, private, and masked."""

import contextlib
import fcntl
import logging
import os
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from kassa import observability

BYTES_MAX: Final = 4 * 1024 * 1024
"""How large the file gets before it becomes the older one, which takes the place of the one before it."""

_PRIVATE: Final = 0o600


class Journal:
    """The file that all processes of a home append to, a line each; what goes wrong with it stops nothing."""

    def __init__(self, folder: Path, *, bytes_max: int = BYTES_MAX) -> None:
        self.path = folder / "kassa.log"
        self.older = folder / "kassa.log.1"
        self._lock = folder / "kassa.log.lock"
        self._bytes_max = bytes_max
        self._descriptor: int | None = None

    def append(self, line: bytes) -> None:
        """Add a line, if there is a place for it."""
        with contextlib.suppress(OSError):
            descriptor = self._opened()
            os.write(descriptor, line + b"\n")
            if os.fstat(descriptor).st_size > self._bytes_max:
                self._turn()

    def _opened(self) -> int:
        """Return the file, which another process may have replaced since."""
        if self._descriptor is not None:
            with contextlib.suppress(FileNotFoundError):
                if self.path.stat().st_ino == os.fstat(self._descriptor).st_ino:
                    return self._descriptor
            os.close(self._descriptor)
            self._descriptor = None
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        return self._descriptor

    def _turn(self) -> None:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Another process may have done it while we waited.
            if self.path.stat().st_size > self._bytes_max:
                self.path.replace(self.older)
        finally:
            os.close(lock)


def keep(folder: Path) -> None:
    """Keep what is logged from now on in this folder, too. To be called after ``observability.configure``."""
    journal = Journal(folder)

    def note(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        journal.append(msgspec.json.encode(event, enc_hook=str))
        return event

    # Before the last step, which makes the line for standard error: by then it is masked.
    *steps, shown = structlog.get_config()["processors"]
    structlog.configure(processors=[*steps, note, shown])
    logging.getLogger().addHandler(_Handler(journal))


class _Handler(logging.Handler):
    """Keeps the libraries' lines."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        event: dict[str, Any] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", event)
        self._journal.append(msgspec.json.encode(observability.mask(None, "", stamped), enc_hook=str))
