"""Nothing but `post` and `number` writes the books: shown on the source, for no test could try every way."""

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "kassa"
QUERIES = SOURCE / "ledger" / "queries.py"
WRITES = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|MERGE\s+INTO|COPY)\s+(ledger_\w+)", re.IGNORECASE
)
WRITERS = {"insert": ["post"], "take": ["number"], "append": ["_append"]}
"""Each statement of the books that writes, and who may call it."""


def test_the_only_statements_that_write_the_books_are_the_ledgers() -> None:
    found = {path: sorted(WRITES.findall(path.read_text())) for path in SOURCE.rglob("*.py")}
    assert {path: tables for path, tables in found.items() if tables} == {
        QUERIES: ["ledger_journal", "ledger_transfers", "ledger_unnumbered", "ledger_unnumbered"]
    }


def test_the_functions_that_write_are_called_by_post_and_number_alone() -> None:
    writing = [
        node.name
        for node in ast.parse(QUERIES.read_text()).body
        if isinstance(node, ast.AsyncFunctionDef) and _constant(node) in _writing_constants()
    ]
    assert sorted(writing) == sorted(WRITERS)
    callers: dict[str, list[str]] = {name: [] for name in WRITERS}
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        if not _imports_queries(tree):
            continue
        assert path == SOURCE / "ledger" / "operations.py" or not _called(tree, set(WRITERS)), path
        for node in tree.body:
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                for name in _called(node, set(WRITERS)):
                    callers[name].append(node.name)
    assert callers == WRITERS


def _writing_constants() -> set[str]:
    return {
        node.target.id
        for node in ast.parse(QUERIES.read_text()).body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and WRITES.search(str(node.value.value))
    }


def _constant(function: ast.AsyncFunctionDef) -> str | None:
    names = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and node.id.startswith("_")]
    return next((name for name in names if name.isupper()), None)


def _imports_queries(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and (
            node.module == "kassa.ledger.queries"
            or (node.module == "kassa.ledger" and any(alias.name == "queries" for alias in node.names))
        )
        for node in ast.walk(tree)
    )


def _called(tree: ast.AST, names: set[str]) -> list[str]:
    """Return the calls of ``queries.name`` in a piece of code."""
    return [
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"queries", "ledger"}
    ]
