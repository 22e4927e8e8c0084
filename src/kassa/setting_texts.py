"""How a setting's text is read, and what is said of one that cannot be: the variable and what it takes."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec.inspect import BoolType, FloatType, IntType, LiteralType, Type, UnionType, type_info

from kassa.errors import SettingsWrong

_SHOWN_LENGTH_MAX: Final = 40
_POSTGRESQL: Final = frozenset({"postgresql", "postgres"})
_DATABASE_URL: Final = "postgresql://user:password@host:5432/database"
_WEB_ADDRESSES: Final = frozenset(
    {"base_url", "gate_url", "bank_url", "rates_ecb_url", "rates_nbu_url", "rates_cbr_url"}
)


def read(field: msgspec.structs.FieldInfo, given: object, variable: str) -> object:
    """Return a setting's value from its text, or from a value that was read before.

    ``variable`` is what it came from. Raises ``SettingsWrong`` naming it.
    """
    if field.name == "database_url":
        return _database_url(str(given), variable)
    if field.name in _WEB_ADDRESSES:
        return _web_address(str(given), variable)
    text = given.lower() if field.name == "log_level" and isinstance(given, str) else given
    try:
        return msgspec.convert(text, field.type, strict=False)
    except msgspec.ValidationError:
        taken = _expected(type_info(field.type))
        raise SettingsWrong(f"{variable}: {_shown(given, variable)} is not {taken}.") from None


def _shown(given: object, variable: str) -> str:
    """Return what was given, unless it may hold a secret, as files and addresses with a user name do."""
    text = str(given)
    if variable.endswith("_FILE") or "@" in text:
        return "its text"
    return repr(text if len(text) <= _SHOWN_LENGTH_MAX else f"{text[:_SHOWN_LENGTH_MAX]}…")


def _expected(kind: Type) -> str:
    """Return what a setting of this type takes, as in "'abc' is not …"."""
    match kind:
        case UnionType(types=types):
            return _expected(types[0])
        case BoolType():
            return "true or false"
        case LiteralType(values=values):
            return f"one of {', '.join(str(value) for value in values)}"
        case IntType():
            return f"a whole number{_bounds(kind)}"
        case FloatType():
            return f"a number{_bounds(kind)}"
        case _:
            return "a text"


def _bounds(kind: IntType | FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    if kind.gt is not None and kind.le is not None:
        return f" above {kind.gt:g} and up to {kind.le:g}"
    return "" if kind.ge is None else f" of {kind.ge} or more"


def _web_address(text: str, variable: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsWrong(f"{variable}: {_shown(text, variable)} is not an http or https address.")
    return text


def _database_url(text: str, variable: str) -> str:
    """Return a PostgreSQL's address. What is refused is never quoted: a password may be any part of it."""
    scheme, found, _ = text.partition("://")
    if found and scheme not in _POSTGRESQL:
        kind = f"{scheme}:// is" if scheme.isalnum() else "this is"
        raise SettingsWrong(f"{variable}: {kind} not an address of PostgreSQL, which is {_DATABASE_URL}.")
    parts = _split(text)
    if not found or parts is None or parts.fragment or _is_cut(parts) or not _ports_are_numbers(parts.netloc):
        raise SettingsWrong(
            f"{variable}: the address cannot be read. It should be {_DATABASE_URL}, "
            "with / ? # @ : in the password percent-encoded, as in %2F."
        )
    return text


def _is_cut(parts: SplitResult) -> bool:
    """Return whether a password with / or ? in it was taken for the host."""
    return bool(parts.netloc) and "@" not in parts.netloc and "@" in f"{parts.path}{parts.query}"


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _ports_are_numbers(netloc: str) -> bool:
    """Return whether the port of each host, where there are several, is one."""
    for host in netloc.rpartition("@")[2].split(","):
        port = host.rpartition("]")[2].partition(":")[2]
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):  # noqa: PLR2004
            return False
    return True
