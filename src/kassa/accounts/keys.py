"""Keys of an account: how they look, how they are made, and by what they are found again (contract#authentication)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Final

from kassa import ids
from kassa.accounts.model import KeyKind, Keys

KINDS: Final[Mapping[str, tuple[KeyKind, bool | None]]] = {
    "api_key": ("api", None),
    "public_key_test": ("public", True),
    "public_key_live": ("public", False),
    "private_key_test": ("private", True),
    "private_key_live": ("private", False),
}
"""The words for an account's keys, as ``Keys`` has them, with kind and mode; an API key serves both modes."""

_SECRET_BYTES: Final = 32
_HINT_LENGTH: Final = 4
_PUBLIC_SHAPE: Final = re.compile(r"pk_(?:test|live)_[A-Za-z0-9_-]{43}")
_PREFIXES: Final[Mapping[KeyKind, str]] = {"public": "pk", "private": "sk"}


def new_key(kind: KeyKind, *, test_mode: bool | None = None) -> str:
    """Return the text of a new key: 43 base64url characters, 256 random bits, after a prefix for kind and mode."""
    text = base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()
    if kind == "api":
        return text
    return f"{_PREFIXES[kind]}_{'test' if test_mode else 'live'}_{text}"


def new_keys() -> Keys:
    """Return the keys of an account that does not exist yet, with its id."""
    texts = {word: new_key(kind, test_mode=test_mode) for word, (kind, test_mode) in KINDS.items()}
    return Keys(id=ids.new_id("coma", ids.new_tag()), **texts)


def is_public_key(text: str) -> bool:
    """Return whether a text looks like a public key, so that what cannot be one is never looked up."""
    return _PUBLIC_SHAPE.fullmatch(text) is not None


def digest(text: str) -> bytes:
    """Return what a key is found by. A fast hash is enough for 256 random bits, and a copy of it opens nothing."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def hint(text: str) -> str:
    """Return what a person recognises a key by in a list: its prefix and last four characters."""
    prefix = text[: len("pk_test_")] if text.startswith(("pk_", "sk_")) else ""
    return f"{prefix}…{text[-_HINT_LENGTH:]}"
