"""Settings and options that `kassa serve` refuses before anything starts, and those that it warns of."""

from pathlib import Path

import pytest

from tests.support import command, serving


@pytest.mark.parametrize(
    "words, environment, sentence",
    [
        (("--port", "65536"), {}, "--port: '65536' is not a whole number from 0 to 65535."),
        (("--port", "-5"), {}, "--port: '-5' is not a whole number from 0 to 65535."),
        (("--port", "abc"), {}, "--port: 'abc' is not a whole number from 0 to 65535."),
        ((), {"KASSA_PORT": "abc"}, "KASSA_PORT: 'abc' is not a whole number from 0 to 65535."),
        (
            ("--port", "65535"),
            {},
            "There is no port 65536 for KASSA_GATE_PORT: set it, or a lower KASSA_PORT or --port.",
        ),
    ],
)
async def test_a_setting_that_cannot_be_is_refused_before_anything_starts(
    tmp_path: Path, words: tuple[str, ...], environment: dict[str, str], sentence: str
) -> None:
    home = {"KASSA_HOME": str(tmp_path / "home")}
    ran = await command.run("serve", *words, environment=home | environment)
    assert (ran.status, ran.err) == (1, f"{sentence}\n")
    assert not (tmp_path / "home" / "postgres").exists()


async def test_serve_warns_of_a_variable_that_is_no_setting(folder: Path) -> None:
    async with serving.running(folder, environment={"KASSA_PORTT": "8000"}):
        logged = (folder / "stderr.log").read_text()
    assert "KASSA_PORTT is not a setting; did you mean KASSA_PORT?" in logged


async def test_help_says_where_each_default_comes_from() -> None:
    ran = await command.run("serve", "--help", environment={"COLUMNS": "200"})
    for default in ("KASSA_HOST, else 127.0.0.1", "KASSA_PORT, else 8000", "KASSA_HOME, else", "KASSA_DEMO, else off"):
        assert default in ran.out
