"""What is wrong with a PostgreSQL, in a sentence that names it and the fix, and never the password."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from kassa.db import contact, migrate, pool
from kassa.db.contact import Place
from kassa.errors import DatabaseUnusable
from tests.support import other_servers, ports
from tests.support.certificates import certificate, tls
from tests.support.postgres import _say

PASSWORD = "hunter2"


async def said(url: str) -> str:
    """Return what is said of an address, after seeing that the pool says the same and neither quotes the password."""
    with pytest.raises(DatabaseUnusable) as migrating:
        await migrate.pending(url)
    with pytest.raises(DatabaseUnusable) as connecting:
        await pool.connect(url, role=None, size=1)
    assert connecting.value.detail == migrating.value.detail
    assert PASSWORD not in f"{migrating.value}{connecting.value}"
    return migrating.value.detail


def elsewhere(url: str, **parts: str) -> str:
    """Return an address with another role, password or database."""
    place = urlsplit(url)
    user = parts.get("user", place.username)
    password = parts.get("password", place.password)
    netloc = f"{user}:{password}@{place.hostname}:{place.port}"
    return place._replace(netloc=netloc, path=f"/{parts.get('database', place.path[1:])}").geturl()


def where(url: str) -> str:
    place = urlsplit(url)
    return f"{place.hostname}:{place.port}"


@asynccontextmanager
async def role(postgres_url: str, name: str, options: str) -> AsyncIterator[str]:
    """Give the address of a database of its own that a new role with these options logs in to."""
    await _say(postgres_url, f"CREATE ROLE {name} PASSWORD '{PASSWORD}' {options}")
    await _say(postgres_url, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield elsewhere(postgres_url, user=name, password=PASSWORD, database=name)
    finally:
        await _say(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
        await _say(postgres_url, f"DROP ROLE {name}")


async def test_a_closed_port() -> None:
    (port,) = ports.free(1)
    place = f"127.0.0.1:{port}"
    url = f"postgresql://kassa:{PASSWORD}@{place}/kassa"
    assert await said(url) == f"{place} refuses the connection. Is PostgreSQL running there?"


async def test_a_closed_port_of_a_name_with_several_addresses() -> None:
    (port,) = ports.free(1)
    url = f"postgresql://kassa:{PASSWORD}@localhost:{port}/kassa"
    assert await said(url) == f"localhost:{port} refuses the connection. Is PostgreSQL running there?"


async def test_a_name_that_does_not_resolve() -> None:
    url = f"postgresql://kassa:{PASSWORD}@db.invalid:5433/kassa"
    assert await said(url) == "the host name db.invalid does not resolve."


async def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 0.3)
    async with other_servers.answering(other_servers.silent) as url:
        assert await said(url) == f"{where(url)} does not answer in time. Is a firewall between Kassa and it?"


async def test_a_server_that_is_something_else() -> None:
    async with other_servers.answering(other_servers.hangs_up) as url:
        assert await said(url) == f"{where(url)} closed the connection. Is it a PostgreSQL?"


async def test_a_wrong_password_or_role(postgres_url: str) -> None:
    place = where(postgres_url)
    for url in (elsewhere(postgres_url, password=PASSWORD), elsewhere(postgres_url, user="nemo", password=PASSWORD)):
        name = urlsplit(url).username
        assert await said(url) == f"{place} refuses the password of the role {name}, or has no such role."


async def test_a_database_that_does_not_exist(postgres_url: str) -> None:
    url, place = elsewhere(postgres_url, database="shop"), urlsplit(postgres_url)
    command = f"createdb --host 127.0.0.1 --port {place.port} --owner {place.username} shop"
    assert await said(url) == f"{where(url)} has no database shop: {command}"


async def test_a_server_without_a_free_connection(postgres_url: str) -> None:
    async with role(postgres_url, "crowded", "LOGIN CONNECTION LIMIT 0") as url:
        text = 'too many connections for role "crowded"'
        rest = "raise that limit, or stop some of what is connected."
        assert await said(url) == f"{where(url)} has no connection left ({text}): {rest}"


async def test_a_role_that_may_not_log_in(postgres_url: str) -> None:
    async with role(postgres_url, "closed", "NOLOGIN") as url:
        refusal = 'refuses the role closed: role "closed" is not permitted to log in.'
        assert await said(url) == f"{where(url)} {refusal}"


async def test_a_server_that_is_too_old() -> None:
    async with other_servers.answering(other_servers.twelve) as url:
        with pytest.raises(DatabaseUnusable) as refused:
            await migrate.migrate(url)
        text = f"{where(url)} runs PostgreSQL 12.3, and Kassa needs PostgreSQL {contact.VERSION_MIN} or newer."
        assert refused.value.detail == text


async def test_tls_that_the_server_does_not_offer(postgres_url: str) -> None:
    text = f"{where(postgres_url)} does not offer TLS, which the address asks for by sslmode."
    assert await said(f"{postgres_url}?sslmode=require") == text


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    own, other = certificate(tmp_path), certificate(tmp_path, address="127.0.0.2")
    async with other_servers.encrypted(tls(own)) as url:
        text = await said(f"{url}?sslmode=verify-ca&sslrootcert={other}")
    assert re.fullmatch(
        rf"the certificate of {where(url)} is not trusted: .*self.signed certificate.*\. Set sslrootcert .*", text
    )


async def test_an_option_of_the_address_that_does_not_exist(postgres_url: str) -> None:
    assert (await said(f"{postgres_url}?sslmode=sometimes")).startswith("the address cannot be used: `sslmode`")


@pytest.mark.parametrize("options", ["LOGIN", "LOGIN CREATEROLE"])
async def test_a_role_that_may_not_set_kassa_up_is_given_the_statements_that_let_it(
    postgres_url: str, options: str
) -> None:
    async with role(postgres_url, "modest", options) as url:
        with pytest.raises(DatabaseUnusable) as refused:
            await migrate.migrate(url)
    text = refused.value.detail
    assert text.startswith(f"the role modest at {where(url)} may not set Kassa up: permission denied")
    assert text.splitlines()[1:] == [
        "  ALTER ROLE modest CREATEROLE;",
        "  ALTER DATABASE modest OWNER TO modest;",
        "or, for a new role and database,",
        "  CREATE ROLE kassa_owner LOGIN CREATEROLE PASSWORD '…';",
        "  CREATE DATABASE kassa OWNER kassa_owner;",
    ]


async def test_the_statements_that_are_given_are_enough(postgres_url: str) -> None:
    async with role(postgres_url, "modest", "LOGIN CREATEROLE") as url:
        await _say(postgres_url, "GRANT modest TO CURRENT_USER")
        await _say(postgres_url, "ALTER DATABASE modest OWNER TO modest")
        assert await migrate.pending(url) != []
        assert await contact.describe(url) == f"PostgreSQL {await version(postgres_url)} at {where(url)}"


async def version(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        found: str = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    return found.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    "url, text",
    [
        ("postgresql://me:p%2Fw@db/kassa", "db:5432"),
        ("postgresql://me:pw@one,two:5433/kassa", "one:5432,two:5433"),
        ("postgresql://me:pw@[::1]:5433/kassa", "[::1]:5433"),
        ("postgresql:///kassa?host=/run/postgresql&user=me", "/run/postgresql:5432"),
    ],
)
def test_an_address_is_shown_as_its_hosts_and_ports(url: str, text: str) -> None:
    place = Place.of(url)
    assert (str(place), place.role, place.database) == (text, "me", "kassa")
