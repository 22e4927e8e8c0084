"""Options of an account: which ones a merchant may set, and how their text is read (``kassa accounts set``)."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from kassa.accounts import logo
from kassa.accounts.model import Account
from kassa.errors import Invalid

_URL_LENGTH_MAX: Final = 2048
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_EMAIL_LENGTH_MAX: Final = 254
"""RFC 5321, 4.5.3.1.3, without the angle brackets."""
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$*+/=^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
"""What can be put into a ``mailto:`` address as it is."""
_TRUE: Final = frozenset({"true", "on", "yes", "1"})
_FALSE: Final = frozenset({"false", "off", "no", "0"})


def apply(account: Account, texts: Mapping[str, str]) -> Account:
    """Return the account with options set from their text; an empty text takes a value away.

    Raises ``Invalid`` naming every option that does not exist and every value that cannot be one.
    """
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, text in texts.items():
        read = OPTIONS.get(name)
        if read is None:
            errors[name] = f"This is not an option. Options: {', '.join(OPTIONS)}."
            continue
        try:
            values[name] = read(text.strip())
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        raise Invalid(errors)
    return msgspec.structs.replace(account, **values)


def _flag(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("This value should be true or false.")


def url(text: str) -> str | None:
    """Return an address as an option takes it, None for an empty one. Raises ``ValueError`` saying what is wrong."""
    if not text:
        return None
    if not _is_url(text):
        raise ValueError("This value should be an http or https address without a user name.")
    return text


def _is_url(text: str) -> bool:
    if len(text) > _URL_LENGTH_MAX or _UNPRINTABLE.search(text):
        return False
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # reading it is what checks it
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def _email(text: str) -> str | None:
    if not text:
        return None
    if len(text) > _EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(text):
        raise ValueError("This value should be an e-mail address.")
    return text


def _networks(text: str) -> tuple[str, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    try:
        return tuple(str(ipaddress.ip_network(word, strict=False)) for word in words)
    except ValueError:
        raise ValueError("This value should be addresses or networks, separated by commas.") from None


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"This value should be a whole number from {least} to {most}.")
        return int(text)

    return read


def _percent(most: int) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        if not re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,4})?", text) or Decimal(text) > most:
            raise ValueError(f"This value should be a number from 0 to {most}, with no more than 4 decimals.")
        return Decimal(text)

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"This value should be {' or '.join(words)}.")
        return text

    return read


OPTIONS: Final[Mapping[str, Callable[[str], object]]] = {
    "forbid_public_access": _flag,
    "callback_url": url,
    "return_url": url,
    "merchant_url": url,
    "lifetime_minutes": _number(14, 2880),
    "attempts": _number(1, 100),
    "only_final_callbacks": _flag,
    "ip_allow_list": _networks,
    "late_success": _one_of("book", "refund"),
    "callback_retries": _number(0, 1000),
    "payer_pays_fee": _flag,
    "exchange_spread": _percent(50),
    "moderation_by_api": _flag,
    "support_url": url,
    "support_email": _email,
    "terms_url": url,
    "logo": logo.read,
}
"""Every option and how its text is read, within the table's bounds; a reader says what is wrong by ``ValueError``."""
