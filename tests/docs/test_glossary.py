"""The code uses the glossary's words, and none of those that they have replaced."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.languages import ROOT

SOURCE: Final = ROOT / "src" / "kassa"
GLOSSARY: Final = ROOT / "docs" / "glossary.md"

REPLACED: Final = {
    "backing": "coverage",
    "bad[ _]day|badness": "fault",
    "crowd|impatient|patience": "deadlines, connection limits",
    "draw_up|drawn": "build, draft",
    "give_back": "record_refund",
    "hand_back": "release",
    "(?:he|him|himself|his)(?![A-Z])": "they, them, themselves, their",
    "mishap": "error page",
    "nobody|whoever|stranger": "no one else, the caller, third party",
    "otherwise than": "amount mismatch",
    "pace|pacing": "rate limit, throttle",
    "purse": "ledger account",
    "refill|set[ _]aside": "restore, hold",
    "standing|stands": "exists, is",
    "tell|telling|tells|told": "notify, show, describe",
    "unwanted": "unexpected: late, duplicate",
    "visits": "language",
    "way_back": "return link",
}
"""What we do not say any more, as regular expressions of whole words in prose and in names, and what we say instead."""

UNFINISHED_NAMES: Final = ("[Bb]acking", "drawn", "rules.patience")
"""What is still to be renamed, because others import it; ends empty."""

ALLOWED: Final = {
    ("api/private/balances.py", "purse"),  # as in `entries`
    ("api/private/entries.py", "purse"),  # the wire's word
    ("db/binaries.py", "nobody"),  # a user of the system
    ("cli/logs.py", "tell"),  # a file's position
    ("db/embedded.py", "tell"),
}


def found(word: str) -> Iterator[tuple[str, int, str]]:
    """Yield where a word is in the sources, in prose or as a part of a name: path, line and text."""
    pattern = re.compile(rf"(?<![A-Za-z])(?i:{word})s?(?![a-z])")
    for path in sorted(each for kind in ("py", "html") for each in SOURCE.rglob(f"*.{kind}")):
        name = str(path.relative_to(SOURCE))
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            plain = re.sub("|".join(UNFINISHED_NAMES), "", line)
            if any((name, match.lower()) not in ALLOWED for match in pattern.findall(plain)):
                yield name, number, line.strip()


@pytest.mark.parametrize("word", REPLACED)
def test_a_word_that_was_replaced_does_not_come_back(word: str) -> None:
    assert list(found(word)) == [], f"say instead: {REPLACED[word]}"


def test_every_word_of_the_glossary_is_explained_once_and_briefly() -> None:
    rows = [line.strip("| ").split(" | ") for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")]
    words = [word for word, *_ in rows if word != "word"]
    assert len(words) == len(set(words)) > 50
    assert all(len(row) == 2 and row[1].endswith(".") for row in rows if row[0] != "word")


def test_every_id_of_the_contract_is_in_the_glossary_too() -> None:
    ids = set(re.findall(r"`([a-z]{3}_)`", (ROOT / "docs" / "contract.md").read_text()))
    assert {each for each in ids if f"`{each}…`" not in GLOSSARY.read_text()} == set()
