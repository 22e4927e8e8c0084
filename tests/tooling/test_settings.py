"""Every setting is described, with its default, and no page or file names a variable that is none."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kassa.config import COMMAND_VARIABLES, LIMITS, Settings

ROOT = Path(__file__).parents[2]
FIELDS = {f"KASSA_{field.name.upper()}": field for field in msgspec.structs.fields(Settings)}
KNOWN = {*FIELDS, *COMMAND_VARIABLES}
ROWS = dict(re.findall(r"^\| `(KASSA_[A-Z_]+)` \| (.+?) \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
SAMPLE_NAMES = {"KASSA_NAME", "KASSA_NAME_FILE", "KASSA_PORTT"}


def written() -> Iterator[tuple[str, str]]:
    """Every variable that a page or a file for operators names."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    others = [ROOT / name for name in (".env.example", "Dockerfile", "compose.yaml") if (ROOT / name).exists()]
    for path in [*pages, *others, *(ROOT / "ops").rglob("*.service")]:
        for name in re.findall(r"\bKASSA_[A-Z][A-Z_]*[A-Z]\b", path.read_text()):
            yield path.name, name


def test_every_setting_has_its_row() -> None:
    assert set(ROWS) == KNOWN


def test_a_row_shows_the_default_that_holds() -> None:
    for name, field in FIELDS.items():
        limit = LIMITS.get(field.name)
        default = field.default if limit is None else limit
        if default is msgspec.NODEFAULT or default is None or default == "" or name.endswith("_URL"):
            continue
        shown = str(default).lower() if isinstance(default, bool) else str(default).removesuffix(".0")
        assert ROWS[name] == f"`{shown}`", name


def test_what_is_written_of_is_a_setting() -> None:
    names = KNOWN | {f"{name}_FILE" for name in KNOWN} | SAMPLE_NAMES
    assert [(page, name) for page, name in written() if name not in names] == []
