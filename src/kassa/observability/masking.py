"""Card numbers and keys, replaced: the last net, for what no log line should have carried at all."""

import re
from typing import Any

from structlog.typing import EventDict, WrappedLogger

_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_MASKED_LENGTH_MIN = 7
"""Shorter texts, as most of a line's are, hold neither a card number nor one of these."""
_SECRETS = (
    ("sk_", re.compile(r"\b(sk_(?:test|live)_)[A-Za-z0-9_-]+"), r"\1…"),
    ("", re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"), "…"),
    ("://", re.compile(r"(://[^:/@\s]+:)[^@\s]+@"), r"\1…@"),
    (" ", re.compile(r"\b((?:Basic|Bearer) )[A-Za-z0-9+/=._~-]+"), r"\1…"),
)
"""What a text has to hold before it is searched, which is found much faster; what is searched for; what stays."""


def mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what looks like a card number or a key: the last net, for what no line should have carried at all."""
    return {name: _masked(value) for name, value in event.items()}


def mask_text(text: str) -> str:
    """Return a text without card numbers and keys."""
    if len(text) < _MASKED_LENGTH_MIN:
        return text
    for sign, shape, replacement in _SECRETS:
        if sign in text:
            text = shape.sub(replacement, text)
    return _CARD.sub(_card_masked, text)


def _masked(value: Any) -> Any:
    match value:
        case None | bool() | float():
            return value
        case str():
            return mask_text(value)
        case int():
            text = str(value)
            shown = mask_text(text)
            return value if shown == text else shown
        case dict():
            return {mask_text(str(name)): _masked(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(inner) for inner in value]
        case _:
            return mask_text(repr(value))


def _card_masked(found: re.Match[str]) -> str:
    digits = [int(character) for character in found[0] if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return "[card]" if sum(doubled) % 10 == 0 else found[0]
