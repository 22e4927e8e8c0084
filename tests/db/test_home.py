import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from kassa.config import Settings
from kassa.db import home, migrate
from kassa.db.home import ServerFile
from kassa.errors import HomeBusy, SettingsWrong
from kassa.sealing import Root
from tests.support.postgres import Database


def inside(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_home_takes_one_at_a_time(tmp_path: Path) -> None:
    async with home.hold(tmp_path, wait_seconds=0):
        with pytest.raises(
            HomeBusy, match=rf"Another Kassa runs on the home .* \(process {os.getpid()}\): stop it, or set KASSA_HOME"
        ):
            async with home.hold(tmp_path, wait_seconds=0.1):
                pass
    async with home.hold(tmp_path, wait_seconds=0):
        pass


async def test_a_server_is_told_at_once_that_another_runs(tmp_path: Path) -> None:
    async with home.hold(tmp_path, wait_seconds=0):
        home.announce(tmp_path, "postgresql://somewhere")
        async with asyncio.timeout(60):
            with pytest.raises(HomeBusy):
                async with home.hold(tmp_path, wait_seconds=60):
                    pass


async def test_a_server_waits_for_a_command_that_holds_the_home(tmp_path: Path) -> None:
    command = home.hold(tmp_path, wait_seconds=0)
    await command.__aenter__()
    asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(command.__aexit__(None, None, None)))
    async with home.hold(tmp_path, wait_seconds=10):
        pass


async def test_what_a_killed_server_told_counts_for_nothing(tmp_path: Path) -> None:
    ended = await asyncio.create_subprocess_exec("true")
    await ended.wait()
    told = ServerFile(database_url="postgresql://somewhere", pid=ended.pid)
    (tmp_path / "server.json").write_bytes(msgspec.json.encode(told))
    assert home.announced(tmp_path) is None
    (tmp_path / "server.json").write_bytes(b"half a fi")
    assert home.announced(tmp_path) is None


async def test_what_a_running_server_tells_is_for_its_owner_alone(tmp_path: Path) -> None:
    home.announce(tmp_path, "postgresql://somewhere")
    assert home.announced(tmp_path) == ServerFile(database_url="postgresql://somewhere", pid=os.getpid())
    assert (tmp_path / "server.json").stat().st_mode & 0o777 == 0o600


async def test_commands_share_a_home_one_after_the_other(folder: Path) -> None:
    settings = Settings(home=str(folder))

    async def command() -> list[str]:
        async with home.open_database(settings, creates=True) as url:
            return await migrate.pending(url)

    assert list(await asyncio.gather(command(), command())) == [[], []]


async def test_a_command_uses_the_server_that_runs(folder: Path) -> None:
    async with home.hold(folder, wait_seconds=0):
        home.announce(folder, "postgresql://running")
        async with home.open_database(Settings(home=str(folder)), migrated=False) as url:
            assert url == "postgresql://running"
    assert not (folder / "postgres").exists()


async def test_a_command_uses_the_operators_database(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), database_url=database.url, secret_key=Root.generate())
    async with home.open_database(settings) as url:
        assert url == database.url


async def test_a_command_that_is_not_to_create_makes_nothing_where_there_is_no_kassa(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    with pytest.raises(SettingsWrong) as refused:
        async with home.open_database(Settings(home=str(empty))):
            pass
    assert refused.value.detail == f"There is no Kassa in {empty} (KASSA_HOME). Start one with kassa serve."
    assert not empty.exists()


async def test_a_home_whose_first_start_did_not_get_far_is_no_kassa_yet(tmp_path: Path) -> None:
    async with home.hold(tmp_path, wait_seconds=0):
        pass
    with pytest.raises(SettingsWrong, match="There is no Kassa in"):
        async with home.open_database(Settings(home=str(tmp_path))):
            pass
    assert inside(tmp_path) == ["lock"]


async def test_a_command_makes_no_second_secret_for_the_operators_database(database: Database, tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong, match=r"There is no secret key in .* \(KASSA_HOME\): set KASSA_SECRET_KEY_FILE"):
        async with home.open_database(Settings(home=str(tmp_path), database_url=database.url)):
            pass
    assert inside(tmp_path) == []


async def test_the_secret_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path))
    first, second = home.load_root(settings), home.load_root(settings)
    assert first.derive("anything") == second.derive("anything")
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


async def test_a_secret_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("spoiled")
    with pytest.raises(SettingsWrong):
        home.load_root(Settings(home=str(tmp_path)))
    assert (tmp_path / "secret.key").read_text() == "spoiled"


def test_a_home_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SettingsWrong, match="cannot be made: Not a directory"):
        home.prepare(tmp_path / "file" / "home")


def test_a_home_is_not_for_others_to_look_into(tmp_path: Path) -> None:
    made = tmp_path / "new"
    home.prepare(made)
    assert made.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
