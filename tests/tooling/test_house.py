"""Rules of the house that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import LONG

ROOT = Path(__file__).parents[2]
SOURCES = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "src").rglob("*.py")}
TESTS = {
    path.relative_to(ROOT): path.read_text()
    for path in (ROOT / "tests").rglob("*.py")
    if path.parent != ROOT / "tests" / "support"
}
SQL = re.compile(r"^[\s\"(]*(?:SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH \w+ AS)\b", re.MULTILINE)
SLEEP = re.compile(r"\bsleep\((?!0\))|\bwait_for_timeout\(")


def test_a_module_begins_with_its_purpose() -> None:
    assert [path for path, text in SOURCES.items() if text and not text.startswith('"""')] == []


def test_sql_lives_in_queries_in_the_tables_of_invoices_and_in_the_database_package() -> None:
    others = {path: text for path, text in SOURCES.items() if not _holds_statements(path) and "db" not in path.parts}
    assert [path for path, text in others.items() if SQL.search(text)] == []


def test_statements_are_handed_the_moment_instead_of_asking_the_database_for_it() -> None:
    clock = re.compile(r"\bnow\(\)|\b(?:CURRENT_TIMESTAMP|clock_timestamp|statement_timestamp)\b", re.IGNORECASE)
    queries = {path: text for path, text in SOURCES.items() if _holds_statements(path) and "db" not in path.parts}
    assert queries
    assert [path for path, text in queries.items() if clock.search(text)] == []


def test_no_test_guesses_how_long_a_thing_takes() -> None:
    assert [path for path, text in TESTS.items() if SLEEP.search(text)] == []


def test_the_longest_files_exist() -> None:
    assert [name for name in LONG if not (ROOT / "tests" / name).exists()] == []


def test_whatever_opens_a_transaction_is_a_unit_of_work() -> None:
    users = [text for path, text in SOURCES.items() if "from kassa.db.pool import" in text and "bank" not in path.parts]
    functions = [function for text in users for function in _functions(text) if "with transaction(" in function]
    assert len(functions) >= 15
    assert [function for function in functions if "@unit_of_work\n" not in function] == []


def _holds_statements(path: Path) -> bool:
    """Tell whether a file is one of those where the statements are."""
    return path.name == "queries.py" or path.parent.name == "tables"


def _functions(text: str) -> Iterator[str]:
    """Give each function of a module as it stands there, decorators and all."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            yield "\n".join(text.splitlines()[first - 1 : node.end_lineno])
