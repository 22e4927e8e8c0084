"""Identifiers: prefix, the account's tag of 4, 12 random characters; so any id shows its account (contract#formats)."""

import hashlib
import hmac
import re
import secrets
from typing import Literal

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TAG_LENGTH = 4
RANDOM_LENGTH = 12

Prefix = Literal[
    "cpi",
    "pay",
    "ref",
    "cus",
    "cgi",
    "coma",
    "comcps",
    "comca",
    "ma",
    "org",
    "msg",
    "key",
    "rule",
    "dec",
    "dis",
    "dcy",
    "lis",
]

_SHAPE = re.compile(r"([a-z]+)_([A-Za-z0-9]{16})")


def new_tag() -> str:
    """Return a random tag; the accounts table refuses one that is taken."""
    return _random(TAG_LENGTH)


def new_id(prefix: Prefix, tag: str) -> str:
    """Return a new identifier of an account: 71 bits from the system's generator behind the tag."""
    return f"{prefix}_{tag}{_random(RANDOM_LENGTH)}"


def derived_id(prefix: Prefix, tag: str, key: bytes, *parts: str) -> str:
    """Return the identifier that always belongs to these parts under this key, such as a customer's.

    The same parts give the same id without a look-up; without the key it cannot be guessed.
    """
    digest = hmac.digest(key, "\x1f".join(parts).encode(), hashlib.sha256)
    return f"{prefix}_{tag}{_spelled(int.from_bytes(digest, 'big'), RANDOM_LENGTH)}"


def tag_of(identifier: str, prefix: Prefix) -> str | None:
    """Return the account's tag in an identifier, or None if this is no identifier of that prefix."""
    match = _SHAPE.fullmatch(identifier)
    return match[2][:TAG_LENGTH] if match and match[1] == prefix else None


def _random(length: int) -> str:
    # One number asks the system's generator once, a character at a time would ask it for each.
    return _spelled(secrets.randbelow(len(ALPHABET) ** length), length)


def _spelled(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, rest = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[rest])
    return "".join(characters)
