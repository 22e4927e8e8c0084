"""Every command but those that are to create something makes nothing where there is no Kassa, and says so."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.support import command
from tests.support.every_command import Ended

NEED_NO_KASSA: Final = {"cards"}
SAY_OTHERWISE: Final = {
    "keys show": "This home has no demo account: kassa serve --demo makes one.",
    "logs": "Nothing was logged in {home} yet: kassa serve does.",
    "open": "No Kassa runs on the home {home}: kassa serve --demo starts one.",
}


def inside(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def every_command(home: Path) -> dict[str, Ended]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.every_command"),
        env={**os.environ, "KASSA_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return msgspec.json.decode(out, type=dict[str, Ended])


async def test_no_command_makes_a_home_of_what_is_none(tmp_path: Path) -> None:
    home = tmp_path / "else"
    runs = await every_command(home)
    assert len(runs) > 30
    assert inside(tmp_path) == []
    sentence = f"There is no Kassa in {home} (KASSA_HOME). Start one with kassa serve."
    unexpected = {
        name: ended
        for name, ended in runs.items()
        if name not in NEED_NO_KASSA
        and (ended.status != 1 or SAY_OTHERWISE.get(name, sentence).format(home=home) not in ended.text)
    }
    assert unexpected == {}


@pytest.mark.parametrize("words", [("accounts", "list"), ("doctor",)])
async def test_a_home_that_is_empty_stays_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = await command.run(*words, environment={"KASSA_HOME": str(tmp_path)})
    assert (ran.status, "There is no Kassa in" in f"{ran.out}{ran.err}") == (1, True)
    assert inside(tmp_path) == []
