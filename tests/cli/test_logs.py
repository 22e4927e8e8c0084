"""``kassa logs``: what is kept of the log, how much of it, and reading it while it grows."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import msgspec
import pytest

from kassa.serving.journal import Journal
from tests.support import command


def line(event: str, **more: str) -> bytes:
    return msgspec.json.encode({"event": event, "level": "info", "timestamp": "2026-03-01T12:00:00Z", **more})


def test_what_is_kept_is_bounded_and_private(tmp_path: Path) -> None:
    one, other = Journal(tmp_path, bytes_max=1000), Journal(tmp_path, bytes_max=1000)
    for number in range(200):
        (one if number % 2 else other).append(line(f"line {number}"))
    sizes = [path.stat().st_size for path in (one.path, one.older)]
    assert all(size < 1200 for size in sizes)
    lines = (one.older.read_bytes() + one.path.read_bytes()).splitlines()
    kept = [msgspec.json.decode(each)["event"] for each in lines]
    assert kept == [f"line {number}" for number in range(200 - len(kept), 200)]
    assert len(kept) > 10
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_folder_that_is_not_there_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    Journal(tmp_path / "nowhere").append(line("lost"))
    assert not (tmp_path / "nowhere").exists()


async def test_lines_are_chosen_by_invoice_level_and_number(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for event, more in (
        ("one", {"invoice_id": "cpi_a"}),
        ("another's", {"invoice_id": "cpi_ab", "path": "/orders/cpi_a-1"}),
        ("two", {"invoice_id": "cpi_b", "level": "error", "exception": "Traceback\n  \x1b[2J"}),
        ("three", {"invoice_id": "cpi_a", "level": "warning"}),
    ):
        journal.append(line(event, **more))
    with journal.path.open("ab") as file:
        file.write(b'{"cut\n')
    environment = {"KASSA_HOME": str(tmp_path)}
    a = await command.run("logs", "--invoice", "cpi_a", environment=environment)
    assert a.out == (
        "2026-03-01T12:00:00Z info one  invoice_id=cpi_a\n2026-03-01T12:00:00Z warning three  invoice_id=cpi_a\n"
    )
    worse = await command.run("logs", "--level", "error", "--invoice", "cpi_b", environment=environment)
    assert worse.out == "2026-03-01T12:00:00Z error two  invoice_id=cpi_b\n    Traceback\n      ?[2J\n"
    last = await command.run("logs", "-n", "1", "--level", "warning", "--json", environment=environment)
    assert last.out == '{"cut\n'


@pytest.mark.parametrize("words,told", [([], "Nothing was logged in "), (["--level", "loud"], "--level: ")])
async def test_what_is_not_there_is_answered_with_a_sentence(tmp_path: Path, words: list[str], told: str) -> None:
    ran = await command.run("logs", *words, environment={"KASSA_HOME": str(tmp_path)})
    assert (ran.status, ran.out, ran.err[: len(told)]) == (1, "", told)


async def test_a_follower_gets_what_is_added_also_after_the_file_was_replaced(tmp_path: Path) -> None:
    journal = Journal(tmp_path, bytes_max=200)
    journal.append(line("old"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kassa", "logs", "--follow", "--json"),
        env={"KASSA_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=PIPE,
    )
    assert process.stdout is not None
    try:
        for number in range(8):
            read = await asyncio.wait_for(process.stdout.readline(), 60)
            assert msgspec.json.decode(read)["event"] == ("old" if number == 0 else f"new {number}")
            journal.append(line(f"new {number + 1}"))
        assert journal.older.exists()
    finally:
        process.terminate()
        await process.wait()
