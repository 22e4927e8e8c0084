"""The lock files and the decision log keep step with pyproject.toml, and tie nobody to a registry."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["build"]
EXTRAS = [line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra]
DEV = RUN + PROJECT["dependency-groups"]["dev"]
DOCS = RUN + PROJECT["dependency-groups"]["docs"]


def names(requirements: list[str]) -> set[str]:
    return {found.group() for line in requirements if (found := re.match(r"[a-z0-9][a-z0-9-]*", line))}


def locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))


def imported(folder: str) -> Iterator[str]:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                yield str(node.module).partition(".")[0]


def undeclared(folder: str, declared: set[str]) -> set[str]:
    distributions = {
        module: {re.sub(r"[-_.]+", "-", name).lower() for name in found}
        for module, found in packages_distributions().items()
    }
    ours = {"kassa", "tests"} | sys.stdlib_module_names
    return {name for name in set(imported(folder)) - ours if not declared & distributions.get(name, set())}


def test_what_is_imported_is_declared() -> None:
    assert undeclared("src", names(RUN + EXTRAS)) == set()
    assert undeclared("tests", names(DEV)) == set()


def test_every_dependency_is_locked() -> None:
    assert names(RUN) - set(locked("run.txt")) == set()
    assert names(DEV) - set(locked("dev.txt")) == set()
    assert names(DOCS) - set(locked("docs.txt")) == set()


def test_tests_run_on_the_versions_that_users_run() -> None:
    assert locked("dev.txt") == locked("dev.txt") | locked("run.txt")


@pytest.mark.parametrize("name", ["run.txt", "dev.txt", "docs.txt"])
def test_a_lock_names_packages_and_hashes_and_nothing_else(name: str) -> None:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    allowed = re.compile(r"#.*|[a-z0-9-]+==\S+( ; [a-z_0-9 '!=<>.*A-Z]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not allowed.fullmatch(line) or "://" in line] == []


def test_every_dependency_has_its_line_in_the_decision_log() -> None:
    log = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text()
    told = {name for row in re.findall(r"^\| ([a-z][a-z0-9, -]*) \|", log, re.MULTILINE) for name in row.split(", ")}
    assert names(DEV) | names(DOCS) | {"uv"} == told - {"package"}
