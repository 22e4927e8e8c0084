"""The repository's documents: which there are, their headings, and whether a reference leads to one."""

import re
from pathlib import Path
from typing import Final

from tests.support.languages import ROOT

PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GENERATED: Final = {"docs/api.md", "docs/openapi.json"}
"""Made from the code when the site is built."""
FENCE: Final = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return what a page's headings are linked by, as both GitHub and the site have it."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


def broken(reference: str, folder: Path) -> bool:
    """Return whether a path, with or without ``#heading``, leads to nothing from a folder."""
    path, _, anchor = reference.partition("#")
    target = (folder / path).resolve() if path else folder
    if target.is_relative_to(ROOT) and str(target.relative_to(ROOT)) in GENERATED:
        return False
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors(target))
