"""Generated pictures for methods without one: a badge with the method's initials, and its name in plain letters."""

import re
import zlib
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from kassa.catalogue.model import Method

_COLOURS: Final = (
    "#1d4ed8",
    "#0f766e",
    "#7c3aed",
    "#be123c",
    "#15803d",
    "#a16207",
    "#0369a1",
    "#9d174d",
    "#4338ca",
    "#b45309",
    "#475569",
    "#6d28d9",
)
"""Colours that are dark enough for white letters (WCAG 2.2 AA)."""

_FONT: Final = 'font-family="system-ui, -apple-system, \'Segoe UI\', Roboto, sans-serif" font-weight="600"'
_WORDS: Final = re.compile(r"\w+")

_NAME_LENGTH_MAX: Final = 20
_NAME_WIDTH: Final = 104
_NAME_SIZE_MAX: Final = 18
_LETTER_WIDTH: Final = 0.6
"""The widest letter's width as a part of the font size."""


def icon(method: Method) -> bytes:
    """Return a square SVG."""
    return _picture(48, method, _badge(method, corner=10))


def logo(method: Method) -> bytes:
    """Return a wide SVG."""
    name = _name(method)
    if len(name) > _NAME_LENGTH_MAX:
        name = f"{name[: _NAME_LENGTH_MAX - 1].rstrip()}…"
    size = min(_NAME_SIZE_MAX, _NAME_WIDTH / (_LETTER_WIDTH * len(name)))
    card = '<rect x="0.5" y="0.5" width="159" height="47" rx="7.5" fill="#fff" stroke="#cbd5e1"/>'
    badge = f'<g transform="translate(8 8) scale(0.6667)">{_badge(method, corner=12)}</g>'
    text = (
        f'<text x="48" y="{24 + size * 0.36:.1f}" {_FONT} font-size="{size:.1f}" fill="#1e293b">{escape(name)}</text>'
    )
    return _picture(160, method, card + badge + text)


def _picture(width: int, method: Method, content: str) -> bytes:
    size = f'viewBox="0 0 {width} 48" width="{width}" height="48"'
    label = quoteattr(_name(method))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={label}>{content}</svg>\n'
    return svg.encode()


def _badge(method: Method, *, corner: int) -> str:
    colour = _COLOURS[zlib.crc32(method.code.encode()) % len(_COLOURS)]
    letters = f'x="24" y="31" {_FONT} font-size="20" text-anchor="middle" fill="#fff"'
    initials = escape(_initials(_name(method)))
    return f'<rect width="48" height="48" rx="{corner}" fill="{colour}"/><text {letters}>{initials}</text>'


def _initials(name: str) -> str:
    words = _WORDS.findall(name)
    letters = [word[0] for word in words[:2]] if len(words) > 1 else list("".join(words)[:2])
    return "".join(letters).upper() or "?"


def _name(method: Method) -> str:
    return method.name.get("en") or method.code
