"""The first contact with a PostgreSQL: what is wrong with it or with its address, in a sentence that names the fix.

No sentence holds a password: of the address they quote host, port, role and database alone.
"""

import contextlib
import errno
import os
import re
import ssl
from collections.abc import Iterator
from socket import gaierror
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import msgspec

from kassa.config import Settings
from kassa.errors import DatabaseUnusable

VERSION_MIN: Final = 15
"""The oldest PostgreSQL whose SQL ours is."""
CONNECT_SECONDS: Final = 10.0

_PORT: Final = "5432"
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")
_LOST: Final = (
    ConnectionError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.ProtocolViolationError,
    asyncpg.InternalClientError,
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What of an address may be shown."""

    hosts: tuple[tuple[str, str], ...]
    """Each host with its port."""
    role: str
    database: str

    def __str__(self) -> str:
        return ",".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in self.hosts)

    @classmethod
    def of(cls, url: str) -> "Place":
        """Read an address that ``config`` has let pass."""
        parts = urlsplit(url)
        given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        port = given.get("port") or os.environ.get("PGPORT", _PORT)
        netloc = parts.netloc.rpartition("@")[2] or given.get("host") or os.environ.get("PGHOST", "localhost")
        role = unquote(parts.username or "") or given.get("user") or os.environ.get("PGUSER", "")
        database = unquote(parts.path[1:]) or given.get("dbname") or given.get("database") or role
        return cls(hosts=tuple(_host(each, port) for each in netloc.split(",")), role=role, database=database)


@contextlib.contextmanager
def naming(settings: Settings) -> Iterator[None]:
    """Put before what is wrong with the database where its address came from."""
    try:
        yield
    except DatabaseUnusable as error:
        source = "KASSA_DATABASE_URL" if settings.database_url else "The embedded PostgreSQL"
        raise DatabaseUnusable(f"{source}: {error.detail}") from error


@contextlib.contextmanager
def explaining(url: str) -> Iterator[None]:
    """Turn what connecting raises into ``DatabaseUnusable``; errors that say nothing of the server or address pass."""
    try:
        yield
    except Exception as error:
        sentence = explained(error, Place.of(url))
        if sentence is None:
            raise
        raise DatabaseUnusable(sentence) from error


async def connect(url: str, *, server_settings: dict[str, str]) -> asyncpg.Connection:
    """Open a connection of the login's own, for migrations and for looking. Raises ``DatabaseUnusable``."""
    with explaining(url):
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS, server_settings=server_settings)
    if connection.get_server_version().major < VERSION_MIN:
        found = _version(connection)
        connection.terminate()
        raise DatabaseUnusable(f"{Place.of(url)} runs {found}, and Kassa needs PostgreSQL {VERSION_MIN} or newer.")
    return connection


async def describe(url: str) -> str:
    """Connect, and return which server answered and where. Raises ``DatabaseUnusable``."""
    connection = await connect(url, server_settings={"application_name": "kassa doctor"})
    await connection.close(timeout=5)
    return f"{_version(connection)} at {Place.of(url)}"


def _version(connection: asyncpg.Connection) -> str:
    return f"PostgreSQL {connection.get_settings().server_version.partition(' ')[0]}"


def rights_missing(url: str, error: asyncpg.InsufficientPrivilegeError) -> DatabaseUnusable:
    """Return what to say when the role may not do what migrations do: make two roles, and tables."""
    place = Place.of(url)
    role = _quoted(place.role)
    return DatabaseUnusable(
        f"the role {place.role} at {place} may not set Kassa up: {_first_line(error)}. As a superuser there, run\n"
        f"  ALTER ROLE {role} CREATEROLE;\n"
        f"  ALTER DATABASE {_quoted(place.database)} OWNER TO {role};\n"
        "or, for a new role and database,\n"
        "  CREATE ROLE kassa_owner LOGIN CREATEROLE PASSWORD '…';\n"
        "  CREATE DATABASE kassa OWNER kassa_owner;"
    )


def explained(error: Exception, place: Place) -> str | None:
    """Return what an error of connecting means and what to do about it, or None for an error of another kind."""
    if isinstance(error, asyncpg.PostgresError):
        said = _refused(error, place)
        if said is not None:
            return said
    if isinstance(error, asyncpg.ClientConfigurationError):
        return f"the address cannot be used: {_first_line(error)}."
    if isinstance(error, ssl.SSLError) or "SSL upgrade" in str(error) or "TLS" in str(error):
        return _untrusted(error, place)
    if isinstance(error, TimeoutError):
        return f"{place} does not answer in time. Is a firewall between Kassa and it?"
    if isinstance(error, gaierror):
        return f"the host name {', '.join(host for host, _ in place.hosts)} does not resolve."
    number = _number(error)
    if number == errno.ECONNREFUSED:
        return f"{place} refuses the connection. Is PostgreSQL running there?"
    if isinstance(error, _LOST):
        return f"{place} closed the connection. Is it a PostgreSQL?"
    if isinstance(error, OSError):
        return f"{place} cannot be reached: {os.strerror(number) if number else _first_line(error)}."
    return None


def _refused(error: asyncpg.PostgresError, place: Place) -> str | None:
    """Return what it means that a server answered and refused the login."""
    role, text = place.role, _first_line(error)
    match error:
        case asyncpg.InvalidPasswordError():
            return f"{place} refuses the password of the role {role}, or has no such role."
        case asyncpg.InvalidAuthorizationSpecificationError() if "does not exist" in text:
            return f"{place} has no role {role}: CREATE ROLE {_quoted(role)} LOGIN CREATEROLE PASSWORD '…';"
        case asyncpg.InvalidAuthorizationSpecificationError() if "pg_hba.conf" in text:
            return f"{place} lets the role {role} in from this machine only after a line in its pg_hba.conf: {text}."
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"{place} refuses the role {role}: {text}."
        case asyncpg.InvalidCatalogNameError():
            return f"{place} has no database {place.database}: {_createdb(place)}"
        case asyncpg.TooManyConnectionsError():
            return f"{place} has no connection left ({text}): raise that limit, or stop some of what is connected."
        case asyncpg.CannotConnectNowError():
            return f"{place} takes no connections at the moment: {text}."
        case asyncpg.InsufficientPrivilegeError():
            return f"{place} refuses the role {role}: {text}."
    return None


def _untrusted(error: Exception, place: Place) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {place} is not trusted: {error.verify_message}. Set sslrootcert in the address."
    if "rejected SSL upgrade" in str(error):
        return f"{place} does not offer TLS, which the address asks for by sslmode."
    return f"{place} and Kassa do not agree on TLS: {_first_line(error)}."


def _createdb(place: Place) -> str:
    host, port = place.hosts[0]
    owner = f" --owner {place.role}" if place.role else ""
    return f"createdb --host {host} --port {port}{owner} {place.database}"


def _host(text: str, port: str) -> tuple[str, str]:
    """Return one host of an address, which may be a name, an IPv6 address in brackets or a socket's folder."""
    if text.startswith("["):
        host, _, own = text[1:].partition("]")
        return host, own.removeprefix(":") or port
    host, _, own = text.partition(":")
    return host, own or port


def _number(error: Exception) -> int | None:
    """Return the system's number of an error, also where several addresses of a name were tried."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = _ERRNO.search(str(error))
    return int(found.group(1)) if found else None


def _first_line(error: Exception) -> str:
    """Return what an error says, without the details that may hold values."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'
