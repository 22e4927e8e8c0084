"""What is kept of an endpoint's answer, so that a merchant can be shown why a callback failed."""

from typing import Final

from kassa.observability import mask_text

BYTES_MAX: Final = 1024
"""How much of an answer is kept."""
_READ_MAX: Final = 4 * BYTES_MAX


def readable(body: bytes) -> str:
    """Return how an answer began, as text that is safe to keep and to print: at most 1 KiB of UTF-8.

    Control characters become spaces, so that no answer moves a terminal's cursor; card numbers and keys are masked.
    """
    text = body[:_READ_MAX].decode("utf-8", "replace")
    printable = "".join(character if character.isprintable() else " " for character in text)
    masked = mask_text(" ".join(printable.split()))
    return masked.encode()[:BYTES_MAX].decode("utf-8", "ignore")
