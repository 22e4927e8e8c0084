"""Rules of the house that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE_LINES_MAX = 400
TEST_LINES_MAX = 500
SOURCES = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "src").rglob("*.py")}
TESTS = {
    path.relative_to(ROOT): path.read_text()
    for path in (ROOT / "tests").rglob("*.py")
    if path.parent != ROOT / "tests" / "support"
}
SQL = re.compile(r"^[\s\"(]*(?:SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH \w+ AS)\b", re.MULTILINE)
SLEEP = re.compile(r"\bsleep\((?!0\))|\bwait_for_timeout\(")


def test_a_file_can_be_read_in_one_go() -> None:
    assert [path for path, text in SOURCES.items() if text.count("\n") > SOURCE_LINES_MAX] == []
    assert [path for path, text in TESTS.items() if text.count("\n") > TEST_LINES_MAX] == []


def test_a_module_begins_with_its_purpose() -> None:
    assert [path for path, text in SOURCES.items() if text and not text.startswith('"""')] == []


def test_sql_lives_in_queries_and_the_database_package() -> None:
    others = {path: text for path, text in SOURCES.items() if path.name != "queries.py" and "db" not in path.parts}
    assert [path for path, text in others.items() if SQL.search(text)] == []


def test_statements_are_handed_the_moment_instead_of_asking_the_database_for_it() -> None:
    clock = re.compile(r"\bnow\(\)|\b(?:CURRENT_TIMESTAMP|clock_timestamp|statement_timestamp)\b", re.IGNORECASE)
    queries = {path: text for path, text in SOURCES.items() if path.name == "queries.py" and "db" not in path.parts}
    assert [path for path, text in queries.items() if clock.search(text)] == []


def test_no_test_guesses_how_long_a_thing_takes() -> None:
    assert [path for path, text in TESTS.items() if SLEEP.search(text)] == []


def test_whatever_opens_a_transaction_is_a_unit_of_work() -> None:
    users = [text for path, text in SOURCES.items() if "from kassa.db.pool import" in text and "bank" not in path.parts]
    functions = [function for text in users for function in _functions(text) if "with transaction(" in function]
    assert len(functions) >= 24
    assert [function for function in functions if "@unit_of_work\n" not in function] == []


def _functions(text: str) -> Iterator[str]:
    """Give each function of a module as it stands there, decorators and all."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            yield "\n".join(text.splitlines()[first - 1 : node.end_lineno])
