"""What documents refer to is there: files, headings, samples."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.support.documents import FENCE, PAGES, broken
from tests.support.languages import ROOT, SAMPLES

LINK: Final = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = LINK.findall(FENCE.sub("", page.read_text()))
    here = [link if not link.startswith("#") else page.name + link for link in links if "://" not in link]
    assert [link for link in here if broken(link, page.parent)] == []


def test_every_sample_is_there_and_shown() -> None:
    shown = {found for page in PAGES for found in re.findall(r'^ *--8<-- "([^"]+)"$', page.read_text(), re.MULTILINE)}
    for name, _, section in (each.partition(":") for each in shown):
        text = (SAMPLES / name).read_text()
        assert not section or f"[start:{section}]" in text, name
    assert {name.partition(":")[0] for name in shown} == {path.name for path in SAMPLES.iterdir()}


def test_every_page_is_in_the_site_and_in_its_summary() -> None:
    navigation, summary = (ROOT / "mkdocs.yml").read_text(), (ROOT / "docs" / "llms.txt").read_text()
    for page in (path for path in PAGES if path.is_relative_to(ROOT / "docs") and path.parent.name != "decisions"):
        name = str(page.relative_to(ROOT / "docs"))
        assert f" {name}\n" in navigation, name
        assert name == "index.md" or f"({name[:-3]}.html)" in summary, name


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_the_map_names_is_there(page: str) -> None:
    plain = FENCE.sub("", (ROOT / page).read_text())
    named = set(re.findall(r"`([\w/.-]+(?:\.(?:py|md|toml|yml)|/))`", plain))
    places = (ROOT, ROOT / "src" / "kassa", ROOT / "src" / "kassa" / "invoices")
    files_of_any_package = {"model.py", "operations.py", "queries.py"}
    assert len(named) > 5
    assert {
        name for name in named if not any((place / name).exists() for place in places)
    } - files_of_any_package == set()
