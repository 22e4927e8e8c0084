"""Every command that the documents and the alert rules show exists, with the options that they give it."""

import re
import shlex
from collections.abc import Iterator
from typing import Any, Final

import pytest
import typer
import typer.main

from kassa import cli
from tests.support.documents import PAGES
from tests.support.languages import ROOT

ALERTS: Final = ROOT / "ops" / "prometheus" / "alerts.yml"
INLINE: Final = re.compile(r"`(?:\.venv/bin/)?(kassa [a-z][^`\n]*)`")
BLOCK: Final = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINE: Final = re.compile(r"^ *(kassa [a-z].*?)(?: +#.*)?$", re.MULTILINE)


def shown() -> Iterator[tuple[str, str]]:
    """Yield the page and text of every command; the changelog tells of those that were."""
    for page in (*PAGES, ALERTS):
        if page.name == "CHANGELOG.md" or page.parent.name == "decisions":
            continue
        text = page.read_text()
        blocks = "\n".join(BLOCK.findall(text))
        for command in [*LINE.findall(blocks), *INLINE.findall(BLOCK.sub("", text))]:
            yield str(page.relative_to(ROOT)), command


def wrong(command: str) -> str | None:
    """Return what of a command does not exist."""
    words = shlex.split(command.replace("…", "x"))[1:]
    found: Any = typer.main.get_command(cli.app)
    context = typer.Context(found)
    while words and hasattr(found, "get_command") and not words[0].startswith("-"):
        inner = found.get_command(context, words[0])
        if inner is None:
            return f"no command {words[0]}"
        # A command that is imported when it is called has its options once it is.
        found, words = inner.load() if hasattr(inner, "load") else inner, words[1:]
        context = typer.Context(found, parent=context)
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in {*known, "--help"}]
    return f"no option {unknown[0]}" if unknown else None


def test_every_command_of_the_alert_rules_is_marked_as_one() -> None:
    assert re.findall(r"(?<!`)\bkassa [a-z]", ALERTS.read_text()) == []


@pytest.mark.parametrize("page,command", sorted(set(shown())))
def test_a_command_of_the_documents_exists(page: str, command: str) -> None:
    assert wrong(command) is None, page
