"""A database that cannot be used: `serve`, `doctor` and every other command say what is wrong, in the same words."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import command, ports

PASSWORD = "hunter2"


def wrong(case: str, postgres_url: str) -> tuple[str, str]:
    """Return an address that cannot be used, and what is to be said of it."""
    right = urlsplit(postgres_url)
    place = f"127.0.0.1:{right.port}"
    match case:
        case "closed port":
            (port,) = ports.free(1)
            url = f"postgresql://kassa:{PASSWORD}@127.0.0.1:{port}/kassa"
            return url, f"127.0.0.1:{port} refuses the connection. Is PostgreSQL running there?"
        case "wrong password":
            url = right._replace(netloc=f"{right.username}:{PASSWORD}@{place}").geturl()
            return url, f"{place} refuses the password of the role {right.username}, or has no such role."
        case "missing database":
            command_line = f"createdb --host 127.0.0.1 --port {right.port} --owner {right.username} shop"
            return right._replace(path="/shop").geturl(), f"{place} has no database shop: {command_line}"
    address = "postgresql://user:password@host:5432/database"
    return f"mysql://kassa:{PASSWORD}@db/kassa", f"mysql:// is not an address of PostgreSQL, which is {address}."


@pytest.mark.parametrize("case", ["closed port", "wrong password", "missing database", "foreign scheme"])
async def test_a_database_that_cannot_be_used(postgres_url: str, tmp_path: Path, case: str) -> None:
    url, sentence = wrong(case, postgres_url)
    environment = {"KASSA_DATABASE_URL": url, "KASSA_HOME": str(tmp_path / "home")}
    looked, listed, served = await asyncio.gather(
        command.run("doctor", environment=environment),
        command.run("accounts", "list", environment=environment),
        command.run("serve", "--port", "0", environment=environment),
    )
    for ran in (looked, listed, served):
        assert ran.status == 1
        assert f"KASSA_DATABASE_URL: {sentence}" in f"{ran.out}{ran.err}"
        assert PASSWORD not in f"{ran.out}{ran.err}"
        assert "Traceback" not in ran.err
    assert "ok      database" not in looked.out
    assert "migrations" not in looked.out


async def test_doctor_names_the_server_that_answered_and_warns_of_variables_that_are_no_settings(
    postgres_url: str, tmp_path: Path
) -> None:
    environment = {"KASSA_DATABASE_URL": postgres_url, "KASSA_HOME": str(tmp_path), "KASSA_PORTT": "8000"}
    ran = await command.run("doctor", environment=environment)
    lines = ran.out.splitlines()
    assert "warning settings: KASSA_PORTT is not a setting; did you mean KASSA_PORT?" in lines
    (database,) = [line for line in lines if "database:" in line]
    assert database.startswith("ok      database: PostgreSQL 18.")
    assert database.endswith(f" at 127.0.0.1:{urlsplit(postgres_url).port}")
    assert "ok      migrations: all applied" in lines
