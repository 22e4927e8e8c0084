"""The README's blocks are run in their order, with what a fresh Kassa printed, and lead to a paid invoice."""

import asyncio
import os
import re
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

from tests.support import serving, visitor
from tests.support.languages import ROOT
from tests.support.waiting import until
from tests.support.world import GOOD_SECURE

README = (ROOT / "README.md").read_text()
BASE_URL = "http://127.0.0.1:8000"


def blocks() -> list[str]:
    found = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(found) * 2 == README.count("```"), "there is a block that is not run"
    return found


def credentials(printed: str) -> dict[str, str]:
    """Return what a reader takes from the terminal."""
    account, key = re.search(r"\bcoma_\w{16}\b", printed), re.search(r"API key\s+([\w-]{43})\s", printed)
    assert account, printed
    assert key, printed
    return {"ACCOUNT_ID": account.group(), "API_KEY": key.group(1)}


async def shell(block: str, environment: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", block), env={**os.environ, **environment}, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode().strip()


async def test_the_first_payment_of_the_readme_is_made_as_it_says(folder: Path) -> None:
    start, create, ask = blocks()
    assert start == "make run\n"
    assert "\n\t@exec $(BIN)/kassa serve --demo\n" in (ROOT / "Makefile").read_text()
    async with serving.running(folder, seeded=False) as kassa:
        printed = folder / "stdout.log"
        await until(lambda: "Ctrl-C stops Kassa" in printed.read_text(), what="the greeting")
        environment = credentials(printed.read_text())

        def here(block: str) -> str:
            assert BASE_URL in block
            return block.replace(BASE_URL, kassa.served.base_url)

        page = await shell(here(create), environment)
        assert page.startswith(f"{kassa.served.gate_url}/hpp/cgi_")
        assert await shell(here(create), environment) == page
        assert await shell(here(ask), environment) == '"status":"process_pending","resolution":"ok"'
        async with visitor.visiting() as payer:
            card = {"card_number": GOOD_SECURE, "expiry": "12/30", "cvc": "123"}
            bank = await payer.press(await payer.open(page), **card)
            await payer.press(bank, "approve")
        assert await shell(here(ask), environment) == '"status":"processed","resolution":"ok"'


def test_the_card_of_the_readme_is_one_that_is_approved() -> None:
    assert re.findall(r"`((?:\d{4} ){3}\d{4})`", README) == [re.sub(r"(?<=\d)(?=(\d{4})+$)", " ", GOOD_SECURE)]
