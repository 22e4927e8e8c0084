"""Nothing but `post` and `number` writes the books: shown on the source, for no test could try every way."""

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "kassa"
QUERIES = SOURCE / "ledger" / "queries.py"
OPERATIONS = SOURCE / "ledger" / "operations.py"
CARRYING = SOURCE / "invoices" / "tables" / "carrying.py"
WRITES = re.compile(
    r"(?:\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|MERGE\s+INTO|COPY)\s+|\.\w+\(\s*[\"'])(ledger_\w+)",
    re.IGNORECASE,
)
"""A statement that writes the books, in SQL or through a method of ``Statement``."""
WRITERS = {"add": [(CARRYING, "_statement"), (OPERATIONS, "post")], "append": [(OPERATIONS, "number")]}
"""Each function of the books that writes, and who may call it."""


def test_the_only_statements_that_write_the_books_are_the_ledgers() -> None:
    found = {path: sorted(WRITES.findall(path.read_text())) for path in SOURCE.rglob("*.py")}
    assert {path: tables for path, tables in found.items() if tables} == {
        QUERIES: ["ledger_journal", "ledger_transfers", "ledger_unnumbered", "ledger_unnumbered"]
    }


def test_the_functions_that_write_are_called_by_post_a_change_and_number_alone() -> None:
    source = QUERIES.read_text()
    writing = [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        and WRITES.search(ast.get_source_segment(source, node) or "")
    ]
    assert sorted(writing) == sorted(WRITERS)
    callers: dict[str, list[tuple[Path, str]]] = {name: [] for name in WRITERS}
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        if not _imports_queries(tree):
            continue
        functions = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
        inside = [(node.name, name) for node in functions for name in _called(node, set(WRITERS))]
        assert len(inside) == len(_called(tree, set(WRITERS))), path
        for caller, name in inside:
            callers[name].append((path, caller))
    assert callers == WRITERS


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
