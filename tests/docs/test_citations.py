"""What code says of documents is true: each that it names is there, with its heading, and it names no others."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.documents import PAGES, anchors, broken
from tests.support.languages import ROOT

ENDINGS: Final = {"", ".py", ".sql", ".html", ".js", ".css"}
DOCUMENT: Final = re.compile(r"\bdocs/[\w/.-]+\.md(?:#[\w-]+)?")
RULE: Final = re.compile(r"\bcontract#([\w-]*)")
"""How a docstring cites a section of ``docs/contract.md``."""
PAPER: Final = re.compile(r"\b[A-Z]{2,}(?:\.md)? §\d")
"""How one would cite a paper that readers of the repository do not have."""


def sources() -> Iterator[tuple[str, str]]:
    """Yield the path and text of everything that people write here, but for this file."""
    folders = ("src", "tests", "tools", ".ci")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
    for path in [*paths, *(ROOT / name for name in ("Makefile", "pyproject.toml", "mkdocs.yml"))]:
        if path.is_file() and path != Path(__file__):
            yield str(path.relative_to(ROOT)), path.read_text()


def test_every_document_that_code_names_is_there() -> None:
    cited = {(path, found) for path, text in sources() for found in DOCUMENT.findall(text)}
    assert cited
    assert {(path, found) for path, found in cited if broken(found, ROOT)} == set()


def test_every_section_of_the_contract_that_code_names_is_there() -> None:
    headings = anchors(ROOT / "docs" / "contract.md")
    cited = {(path, found) for path, text in sources() for found in RULE.findall(text)}
    assert len(cited) > 50
    assert {(path, found) for path, found in cited if found not in headings} == set()


def test_no_document_is_cited_that_the_repository_does_not_have() -> None:
    pages = ((path.name, path.read_text()) for path in PAGES)
    assert [(path, found) for path, text in [*sources(), *pages] for found in PAPER.findall(text)] == []
