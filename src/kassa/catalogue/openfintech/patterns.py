"""Converting OpenFintech's patterns: theirs are PHP's, with delimiters; ours run on RE2 and match whole values."""

import re
from typing import Final

import re2

from kassa.catalogue import fields

_DELIMITED: Final = re.compile(r"/(?P<body>.*)/(?P<flags>[A-Za-z]*)", re.DOTALL)
_FLAGS: Final = {"u": "", "D": "", "i": "i", "s": "s"}
"""The supported flags of PHP and their letters in RE2: patterns always match characters, not bytes, and ``$`` only
matches the end."""
_PIECE: Final = re.compile(
    r"""
      \\[pPx]\{\^?\w+\}                # a class of characters, or a character by its number
    | \\.                              # an escaped character
    | \[\^?\]?(?:\\.|\[:\w+:\]|[^]])*] # a set: braces in it mean themselves
    | \{\d+(?:,\d*)?\}                 # a quantifier
    | (?P<wrong>\{[^}]*\}?)            # what looks like one
    | .
    """,
    re.DOTALL | re.VERBOSE,
)


class PatternDropped(ValueError):
    """The pattern cannot be run, or makes no sense."""


def cleaned(text: str) -> str:
    """Return a pattern without delimiters and flags, and empty for an empty one.

    Raises ``PatternDropped`` with the reason: RE2 cannot run it (look-around, back references), it has an unknown flag,
    or braces that are no quantifier, so that it would match nothing that anyone enters.
    """
    body, flags = text, ""
    if match := _DELIMITED.fullmatch(text):
        body, flags = match["body"].replace(r"\/", "/"), match["flags"]
    unknown = "".join(flag for flag in flags if flag not in _FLAGS)
    if unknown:
        raise PatternDropped(f"we do not know the flag {unknown!r}")
    for piece in _PIECE.finditer(body):
        if piece["wrong"]:
            raise PatternDropped(f"{piece['wrong']} is no quantifier")
    letters = "".join(sorted({_FLAGS[flag] for flag in flags}))
    pattern = f"(?{letters}){body}" if letters else body
    try:
        fields.pattern(pattern)
    except re2.error as error:
        raise PatternDropped(_reason(error)) from None
    return pattern


def _reason(error: re2.error) -> str:
    text = error.args[0] if error.args else "RE2 cannot run it"
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)
