"""What `pip install` installs: the built wheel runs from any folder, with nothing of this repository's beside it."""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from kassa import __version__
from tests.support import serving
from tests.support.api import Client

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(folders: Callable[[], Path]) -> Path:
    """A virtual environment with the wheel in it, and what Kassa runs on from the environment of the tests."""
    folder = folders()
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("kassa-*.whl")
    venv.create(folder / "venv", symlinks=True)
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    packages = Path(sysconfig.get_path("purelib", vars=paths))
    # Only what stands in this folder itself is seen, not what its own .pth files name, as this repository is.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv" / "bin" / "python")]
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True, capture_output=True)
    return folder / "venv" / "bin"


def test_the_wheel_brings_its_command_and_all_that_it_reads(installed: Path, tmp_path: Path) -> None:
    shown = subprocess.run([installed / "kassa", "--version"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert shown.stdout == f"kassa {__version__}\n"
    where = [str(installed / "python"), "-c", "import kassa; print(kassa.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert found.stdout.startswith(str(installed.parent))


async def test_a_payment_goes_through_a_kassa_from_the_wheel(
    installed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    program = [str(installed / "kassa")]
    async with serving.running(folder, program=program, seeded=False) as kassa, aiohttp.ClientSession() as session:
        shop = Client(session, kassa.served.base_url, kassa.served.account)
        paid = await shop.pay(await shop.create(), kassa.served.gate_url)
        assert paid.attributes["status"] == "processed"
        async with session.get(f"{kassa.served.base_url}/docs") as docs:
            assert docs.status == 200
