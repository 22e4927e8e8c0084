"""The figures of two that were measured in turn."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import report, trees
from tests.bench.counting import Count
from tests.bench.load import Rate
from tests.bench.processors import spent
from tests.bench.report import Line


def _rates(*figures: tuple[float, float, float]) -> dict[str, list[Rate]]:
    rounds = [Rate(per_second=rate, p50=1, p99=1, spent=(ours, theirs)) for rate, ours, theirs in figures]
    return {"reads": rounds}


def test_a_ratio_is_the_middle_of_those_of_each_round() -> None:
    earlier, later = _rates((100, 10, 30), (50, 20, 20), (80, 10, 10)), _rates((200, 5, 15), (200, 10, 20), (80, 9, 9))
    assert report.measured(earlier, later) == [
        Line(what="reads: a second", earlier=80, later=200, ratio=2.0),
        Line(what="reads: Kassa, µs", earlier=10, later=9, ratio=0.5),
        Line(what="reads: PostgreSQL, µs", earlier=20, later=15, ratio=0.9),
        Line(what="reads: both, µs", earlier=40, later=20, ratio=0.75),
    ]


def test_what_is_looked_up_again_only_now_and_then_is_not_of_each_life() -> None:
    count = Count(what="read", requests={"SELECT view": 1.0, "SELECT key": 0.4}, worker={"UPDATE": 2.0}, looking=0.0)
    assert count.in_all == pytest.approx(3.4)
    assert count.in_each == 3.0


def test_what_a_child_has_had_of_the_processors_counts_when_it_has_ended() -> None:
    burn = "sum(range(10**7))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{burn}']); print('done'); input()"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        assert spent(process.pid) > spent_by(f"{burn}") / 2
        process.communicate("\n")


def spent_by(code: str) -> float:
    """Return what a program takes of the processors between its start and its end, in seconds."""
    text = f"import time; begun = time.process_time(); {code}; print(time.process_time() - begun)"
    done = subprocess.run([sys.executable, "-c", text], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def test_a_commit_that_does_not_exist_is_refused() -> None:
    with pytest.raises(subprocess.CalledProcessError), trees.checked_out("no-such-commit"):
        pass


@pytest.mark.timeout(600)
async def test_a_short_run_counts_and_measures_a_commit_and_the_present_tree() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench", "--against", "HEAD", "--seconds", "1", "--size", "50"),
        *("--rounds", "1", "--clients", "1", "--no-localstripe", "--statements"),
        cwd=Path(trees.ROOT),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    rows = {cells[0]: cells[1:] for line in said.splitlines() if len(cells := _cells(line)) == 4}
    assert float(rows["whole life, 3-D Secure: statements"][0]) > 5
    assert float(rows["whole life, 3-D Secure: statements"][2]) == pytest.approx(1, abs=0.5)
    assert float(rows["creation: statements"][1]) >= 1
    assert float(rows["idle: statements a second"][1]) > 0
    for what in ("creations", "reads by id", "lists, a page of 20", "whole lives"):
        ours, theirs = (float(rows[f"{what}: {who}, µs"][1].replace(",", "")) for who in ("Kassa", "PostgreSQL"))
        assert ours > 0
        assert theirs > 0
    assert "INSERT INTO" in said


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("│")[1:-1]]
