"""Statements as PostgreSQL logs their arrival: who said them, and which of them only look for work."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

PREFIX: Final = "~%n|%r|%c|"
"""The server's ``log_line_prefix``: when, from where, in which session."""

_HEAD: Final = re.compile(
    r"^~(?P<at>[\d.]+)\|[^|]*\((?P<port>\d+)\)\|(?P<session>[^|]*)\|LOG: +(?:statement|execute [^:]*): ", re.MULTILINE
)
_ANY_HEAD: Final = re.compile(r"^~[\d.]+\|", re.MULTILINE)
_SPACE: Final = re.compile(r"\s+")
_BOUNDS: Final = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "START", "SAVEPOINT", "RELEASE"})
_ENDS: Final = frozenset({"COMMIT", "ROLLBACK"})
_OPENING: Final = ("SELECT current_setting('jit')", "SELECT set_config('jit'", "WITH RECURSIVE typeinfo_tree(")
"""What the driver says on a new connection."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One message to the server that it answers before the next is sent."""

    at: float
    """Unix seconds."""
    port: int
    """The client's: it tells which process speaks."""
    session: str
    text: str
    """In one line, without values."""

    @property
    def bound(self) -> bool:
        """Whether it only begins or ends a transaction."""
        return self.text.split(maxsplit=1)[0].rstrip(";").upper() in _BOUNDS

    @property
    def ends(self) -> bool:
        """Whether it ends a transaction."""
        return self.text.split(maxsplit=1)[0].rstrip(";").upper() in _ENDS


def read(log: str) -> list[Statement]:
    """Return the statements of a log, oldest first, but for those that each new connection begins with."""
    heads = [found.start() for found in _ANY_HEAD.finditer(log)]
    ends = [*heads[1:], len(log)]
    found = []
    for begin, end in zip(heads, ends, strict=True):
        head = _HEAD.match(log, begin)
        text = _SPACE.sub(" ", log[head.end() : end]).strip() if head else ""
        if head and text and not text.startswith(_OPENING):
            found.append(Statement(at=float(head["at"]), port=int(head["port"]), session=head["session"], text=text))
    return found


def units(said: Iterable[Statement]) -> Iterator[list[Statement]]:
    """Give each transaction, and each statement outside of one, with its begin and its end; session by session."""
    by_session: Callable[[Statement], str] = lambda each: each.session  # noqa: E731
    for _, group in groupby(sorted(said, key=by_session), by_session):
        unit: list[Statement] = []
        for each in group:
            unit.append(each)
            inside = unit[0].bound and not each.ends
            if not inside:
                yield unit
                unit = []
        if unit:
            yield unit


def looking(idle: Iterable[Statement]) -> frozenset[str]:
    """Return the texts that an idle gateway says, which look for work and find none."""
    return frozenset(each.text for each in idle if not each.bound)


def work(said: Sequence[Statement], polls: frozenset[str]) -> list[Statement]:
    """Return what remains, in its order, without the transactions and statements that only look for work."""
    kept = {
        id(each)
        for unit in units(said)
        if any(one.text not in polls and not one.bound for one in unit)
        for each in unit
    }
    return [each for each in said if id(each) in kept]


def counted(said: Iterable[Statement], lives: int) -> dict[str, float]:
    """Return how often each text was said a life, most often first."""
    return {text: count / lives for text, count in Counter(each.text for each in said).most_common()}
