"""Who runs a command: the name that is kept beside what it changes."""

import getpass
import os
from typing import Final

from kassa.errors import Invalid

VARIABLE: Final = "KASSA_OPERATOR"
LENGTH_MAX: Final = 100


def operator(by: str | None = None) -> str:
    """Return who changes something, ``operator NAME``: as ``--by`` or the variable says, else the system's user.

    Raises ``Invalid`` for a name that cannot be shown in a line.
    """
    source, name = ("--by", by) if by else (VARIABLE, os.environ.get(VARIABLE) or _user())
    if len(name) > LENGTH_MAX or not name.isprintable():
        raise Invalid({source: f"This value should have from 1 to {LENGTH_MAX} printable characters."})
    return f"operator {name}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
