"""Finds the Chromium that browser tests drive, and fetches one if there is none (run it with ``python -m``)."""

import os
import shutil
import subprocess
import sys
from typing import Final

_NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_DEBIAN: Final = ("chromium", "fonts-noto-core", "fonts-dejavu-core")
_NONE: Final = "The browser tests need Chromium: install it, or name one that is installed in the variable CHROMIUM."


def installed() -> str | None:
    """Return the path of a Chromium on this machine, or None: then Playwright's own is the one to try."""
    named = os.environ.get("CHROMIUM")
    candidates = (named,) if named else _NAMES
    return next((path for name in candidates if (path := shutil.which(name)) and _starts(path)), None)


def fetch() -> bool:
    """Install Debian's package when we may, else Playwright's own build; return whether that worked."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stdout.write("Installing Chromium for the browser tests …\n")
        sys.stdout.flush()
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *_DEBIAN]
        if _runs(["apt-get", "update", "-qq"], quiet) and _runs(install, quiet) and installed():
            return True
    return _runs([sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"], dict(os.environ))


def _starts(path: str) -> bool:
    return _runs([path, "--version"], dict(os.environ))


def _runs(command: list[str], environment: dict[str, str]) -> bool:
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


if __name__ == "__main__" and not installed() and not fetch():
    sys.exit(_NONE)
