import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest

from kassa.db import binaries, embedded
from kassa.db.embedded import Server
from kassa.errors import DatabaseUnavailable, SettingsWrong
from tests.support.waiting import until


@pytest.fixture(scope="module")
async def home(folders: Callable[[], Path]) -> Path:
    """A home whose database has one table with one row."""
    made = folders()
    async with embedded.running(made) as url:
        await say(url, "CREATE TABLE kept (word text)")
        await say(url, "INSERT INTO kept VALUES ('first')")
    return made


async def say(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url, timeout=60)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def words(url: str) -> list[str]:
    return [row["word"] for row in await say(url, "SELECT word FROM kept ORDER BY word")]


async def answers(url: str) -> bool:
    try:
        await say(url, "SELECT 1")
    except (OSError, asyncpg.PostgresError):
        return False
    return True


def processes(home: Path) -> list[psutil.Process]:
    return Server(home / "postgres", port=0)._survivors()


async def test_what_was_committed_is_there_after_a_restart(home: Path) -> None:
    async with embedded.running(home) as url:
        assert await words(url) == ["first"]
    assert processes(home) == []


async def test_the_owner_is_no_superuser_and_nobody_gets_in_without_its_password(home: Path) -> None:
    async with embedded.running(home) as url:
        rights = await say(
            url, "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        assert [tuple(row) for row in rights] == [(False, True, False)]
        address = url.rpartition("@")[2]
        for stranger in ("kassa_owner", "postgres", "kassa_owner:wrong", "postgres:postgres"):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(f"postgresql://{stranger}@{address}", passfile=str(home / "none"))


async def test_the_server_listens_on_the_loopback_interface_alone(home: Path) -> None:
    async with embedded.running(home):
        told = (home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        sockets_folder, address = told[4:6]
        assert (sockets_folder, address) == ("", "127.0.0.1")


async def test_data_and_password_are_for_their_owner_alone(home: Path) -> None:
    folder = home / "postgres"
    modes = {name: (folder / name).stat().st_mode & 0o777 for name in ("data", "password", "log")}
    assert modes == {"data": 0o700, "password": 0o600, "log": 0o600}


async def test_a_killed_server_is_started_again_on_the_same_address(home: Path) -> None:
    async with embedded.running(home) as url:
        await say(url, "INSERT INTO kept VALUES ('second')")
        postmaster = next(process for process in processes(home) if "-D" in process.cmdline())
        postmaster.kill()
        await until(lambda: not postmaster.is_running() or postmaster.status() == psutil.STATUS_ZOMBIE)
        await until(lambda: answers(url), what="the new server")
        assert await words(url) == ["first", "second"]


async def test_the_server_ends_by_itself_when_its_parent_is_killed(home: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from kassa.db import embedded\n"
        "async def main():\n"
        "    async with embedded.running(Path(sys.argv[1])) as url:\n"
        "        print(url, flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(home), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    url = (await parent.stdout.readline()).decode().strip()
    await say(url, "INSERT INTO kept VALUES ('third')")
    parent.kill()
    await parent.wait()
    await until(lambda: not processes(home), what="the server's end")
    async with embedded.running(home) as again:
        assert "third" in await words(again)


async def test_a_process_that_has_the_number_of_a_dead_server_does_not_stand_in_the_way(home: Path) -> None:
    options = binaries.find(home / "postgres").options()
    stranger = await asyncio.create_subprocess_exec("sleep", "60", **options)
    data = home / "postgres" / "data"
    (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1\n5432\n\n127.0.0.1\n0 0\nready\n")
    try:
        async with embedded.running(home) as url:
            assert await answers(url)
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_frozen_process_of_an_earlier_server_is_ended_before_the_files_are_used(home: Path) -> None:
    server = Server(home / "postgres", port=0)
    await server.start()
    postmaster = psutil.Process(server.pid)
    frozen = postmaster.children()[0]
    frozen.suspend()
    postmaster.kill()
    try:
        async with embedded.running(home) as url:
            assert frozen.pid not in {process.pid for process in processes(home)}
            assert await answers(url)
    finally:
        await server.stop()


async def test_a_lost_password_is_replaced(home: Path) -> None:
    (home / "postgres" / "password").unlink()
    async with embedded.running(home) as url:
        assert "first" in await words(url)


async def test_a_set_up_that_was_killed_half_way_starts_again(folder: Path) -> None:
    postgres = folder / "postgres"
    (postgres / ".data-0123abcd").mkdir(parents=True)
    (postgres / ".data-0123abcd" / "PG_VERSION").write_text("18\n")
    (postgres / "password").write_text("of the one that was killed")
    async with embedded.running(folder) as url:
        assert await answers(url)
    assert list(postgres.glob(".data-*")) == []


async def test_files_of_another_version_are_refused_in_one_sentence(home: Path) -> None:
    version = home / "postgres" / "data" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("12\n")
    try:
        with pytest.raises(SettingsWrong, match="was written by PostgreSQL 12, and this Kassa brings 18"):
            async with embedded.running(home):
                pass
    finally:
        version.write_text(kept)


async def test_a_port_that_another_program_holds_is_told_with_the_reason(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # noqa: SIM117  # the first is the world, the second the claim
        with pytest.raises(DatabaseUnavailable, match=r"does not start: .*could not create any TCP/IP sockets"):
            async with embedded.running(home, port=taken.getsockname()[1]):
                pass
    assert processes(home) == []


async def test_ctrl_c_in_the_terminal_does_not_reach_the_server(home: Path) -> None:
    server = Server(home / "postgres", port=0)
    await server.start()
    try:
        assert server.pid is not None
        assert os.getpgid(server.pid) != os.getpgid(os.getpid())
    finally:
        await server.stop()


async def test_nothing_of_our_environment_reaches_the_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASSA_SECRET_KEY", "not for the database")
    server = Server(home / "postgres", port=0)
    await server.start()
    try:
        assert psutil.Process(server.pid).environ().keys() <= {"LC_ALL", "TZ", "PATH", "PGDATA", "PG_GRANDPARENT_PID"}
    finally:
        await server.stop()


async def test_a_log_line_holds_neither_values_nor_statements(home: Path) -> None:
    log = home / "postgres" / "log"
    before = log.stat().st_size
    async with embedded.running(home) as url:
        await say(url, "CREATE TABLE IF NOT EXISTS once (word text PRIMARY KEY)")
        await say(url, "INSERT INTO once VALUES ('4111111111111111')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await say(url, "INSERT INTO once VALUES ('4111111111111111')")
    with log.open() as lines:
        lines.seek(before)
        told = lines.read()
    assert "duplicate key" in told
    assert "4111" not in told


async def test_a_home_that_the_server_cannot_reach_is_told_in_one_sentence(folder: Path) -> None:
    closed = folder / "closed"
    home = closed / "home"
    home.mkdir(parents=True)
    # Root's server runs as another user, who may not enter; an ordinary user's own server may not write.
    closed.chmod(0o700)
    home.chmod(0o711 if os.geteuid() == 0 else 0o500)
    expected = "who cannot reach" if os.geteuid() == 0 else "Permission denied"
    with pytest.raises((SettingsWrong, PermissionError), match=expected):
        async with embedded.running(home):
            pass
