"""A merchant's logo: a small file that the account keeps, known by its content."""

import base64
import binascii
import hashlib
from typing import Final

SIZE_MAX: Final = 16 * 1024

_PNG: Final = b"\x89PNG\r\n\x1a\n"


def read(text: str) -> bytes | None:
    """Return a logo as an option takes it: base64 of its file. Raises ``ValueError`` saying what is wrong."""
    if not text:
        return None
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("This value should be a file, as in logo=@logo.svg.") from None
    if not content or len(content) > SIZE_MAX:
        raise ValueError("This file should have 16 KiB at most.")
    if not content.startswith(_PNG) and not _is_svg(content):
        raise ValueError("This file should be PNG or SVG.")
    return content


def name(content: bytes) -> str:
    """Return the file's name, which changes with its content."""
    ending = "png" if content.startswith(_PNG) else "svg"
    return f"{hashlib.sha256(content).hexdigest()[:16]}.{ending}"


def media_type(content: bytes) -> str:
    """Return what kind of file it is."""
    return "image/png" if content.startswith(_PNG) else "image/svg+xml"


def _is_svg(content: bytes) -> bool:
    try:
        text = content.decode().lstrip("\ufeff \t\r\n")
    except UnicodeDecodeError:
        return False
    return text.startswith(("<svg", "<?xml", "<!--")) and "<svg" in text
