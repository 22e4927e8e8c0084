"""Finds what the documentation's samples are run by, and fetches what is missing (run it with ``python -m``)."""

import asyncio
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.support.command import Ran

ROOT: Final = Path(__file__).parents[2]
SAMPLES: Final = ROOT / "docs" / "samples"
RUN_BY: Final = {".sh": ("sh",), ".py": (sys.executable,), ".php": ("php",), ".mjs": ("node",)}
"""The program of each language, by the ending of its files."""

_DEBIAN: Final = {"curl": ("curl",), "openssl": ("openssl",), "node": ("nodejs",), "php": ("php-cli", "php-curl")}
_NONE: Final = (
    "The samples of the documentation need curl, openssl, Node.js 18 or newer, and PHP with its curl extension."
)
_PATIENCE_SECONDS: Final = 90


async def run(path: Path, *arguments: str, environment: Mapping[str, str], typed: bytes = b"") -> Ran:
    """Run a program in the language of its file's name."""
    process = await asyncio.create_subprocess_exec(
        *(*RUN_BY[path.suffix], str(path), *arguments),
        env={**os.environ, **environment},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(typed), _PATIENCE_SECONDS)
    return Ran(status=process.returncode or 0, out=out.decode(), err=err.decode())


def missing() -> list[str]:
    """Return the names of the programs that are not here, or not whole."""
    absent = [name for name in _DEBIAN if shutil.which(name) is None]
    if "php" not in absent and not _succeeds(["php", "-r", "exit(extension_loaded('curl') ? 0 : 1);"]):
        absent.append("php")
    if "node" not in absent and not _succeeds(["node", "-e", "process.exit(typeof fetch === 'function' ? 0 : 1)"]):
        absent.append("node")
    return absent


def fetch(names: Sequence[str]) -> bool:
    """Install Debian's packages when we may; return whether everything is there now."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    sys.stdout.write(f"Installing {', '.join(names)} for the documentation's samples …\n")
    sys.stdout.flush()
    packages = [package for name in names for package in _DEBIAN[name]]
    return (
        _succeeds(["apt-get", "update", "-qq"])
        and _succeeds(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages])
        and not missing()
    )


def _succeeds(command: Sequence[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


if __name__ == "__main__" and (absent := missing()) and not fetch(absent):
    sys.exit(_NONE)
