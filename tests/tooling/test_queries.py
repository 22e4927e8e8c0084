"""Every statement names the account whose rows it may see or change (P9)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import pytest

from kassa.db.pool import Pool
from kassa.work import jobs
from kassa.work.claims import Claims
from kassa.work.queries import claim_statement, release_statement, renew_statement
from kassa.work.queue import Queue

SOURCE: Final = Path(__file__).parents[2] / "src" / "kassa"

OWNED: Final = (
    "accounts",
    "account_events",
    "api_keys",
    "account_services",
    "provider_accounts",
    "routes",
    "customers",
    "invoices",
    "payments",
    "refunds",
    "disputes",
    "invoice_events",
    "callbacks",
    "ledger_transfers",
    "ledger_unnumbered",
    "ledger_journal",
    "discrepancies",
    "provider_statement_lines",
    "idempotency_keys",
    "moderation_rules",
    "moderation_decisions",
    "callback_listeners",
    "callback_copies",
)
"""The tables whose rows belong to an account."""

ALLOWED: Final = {
    "accounts.accounts": "the operator's list of all accounts",
    "accounts.payable": "shows the operator whether there is an account at all",
    "accounts.account_id_by_tag": "finds the account that an id belongs to",
    "accounts.public_key": "finds the account that a key belongs to",
    "reconciliation._SHARING": "finds the accounts that have the same merchant at a provider",
    "reconciliation._ELDEST": "finds which of them had it first",
    "backlog._MEASURE": "the operator's numbers over all accounts",
    "reconciliation.turns._MEASURE": "the operator's numbers over all accounts",
}
"""Statements that do not name one account, and why."""

_STATEMENT: Final = re.compile(r"\s*\(?(SELECT|INSERT INTO|UPDATE [a-z]+|DELETE FROM|WITH)\b")
_READ: Final = re.compile(rf"\b(?:FROM|JOIN|UPDATE)\s+({'|'.join(OWNED)})\b")
_WRITTEN: Final = re.compile(rf"\bINSERT INTO ({'|'.join(OWNED)})\s*(?:AS \w+\s*)?\(([^)]*)\)")
_NAMED: Final = re.compile(r"\baccount_id = (?:\$\d+|\w+\.account_id)|\bUSING \(account_id,")


def statements(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the statements of a file with the names of the functions or constants that hold them."""
    module = ast.parse(path.read_text())
    room = ".".join(path.parent.relative_to(SOURCE).parts)
    constants: dict[str, str] = {}
    for node in module.body:
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name):
                constants[target.id] = text = _text(node.value, constants)
                if _STATEMENT.match(text):
                    yield f"{room}.{target.id}", text
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from ((f"{room}.{node.name}", text) for text in _texts(node, constants) if _STATEMENT.match(text))


def _texts(node: ast.AST, constants: dict[str, str]) -> Iterator[str]:
    """Yield the texts in a piece of code, each once and whole."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield _text(node, constants)
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, constants)


def _text(node: ast.AST, constants: dict[str, str]) -> str:
    """Return a text with the constants that it is made of; what is only known when it runs is left as ``…``."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(value, constants) for value in values)
        case ast.FormattedValue(value=ast.Name(id=name)) if name in constants:
            return constants[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, constants) + _text(right, constants)
        case _:
            return "…"


def nameless(text: str) -> bool:
    """Tell whether a statement touches an account's rows without saying whose."""
    read = _READ.findall(text)
    if len(read) > len(_NAMED.findall(text)):
        return True
    return any(
        "account_id" not in re.split(r"[\s,]+", columns) for _, columns in _WRITTEN.findall(text) if "…" not in columns
    )


FILES: Final = sorted(
    path for path in (*SOURCE.rglob("queries.py"), *SOURCE.rglob("tables/*.py")) if not {"bank", "db"} & {*path.parts}
)
STATEMENTS: Final = [found for path in FILES for found in statements(path)]


def test_statements_are_found_where_there_are_some() -> None:
    rooms = {name.rpartition(".")[0] for name, _ in STATEMENTS}
    assert rooms >= {"accounts", "catalogue", "callbacks", "invoices.tables", "invoices.listing", "ledger"}
    assert len(STATEMENTS) > 40


@pytest.mark.parametrize("name,text", STATEMENTS, ids=[name for name, _ in STATEMENTS])
def test_a_statement_names_its_account(name: str, text: str) -> None:
    assert nameless(text) == (name in ALLOWED), text


def test_what_is_allowed_exists() -> None:
    assert set(ALLOWED) <= {name for name, _ in STATEMENTS}


@pytest.mark.parametrize("queue", jobs.QUEUES, ids=[queue.table for queue in jobs.QUEUES])
def test_what_the_worker_takes_names_its_account_and_only_its_searches_do_not(queue: Queue) -> None:
    assert queue.table in OWNED
    claims = Claims(cast("Pool", None), queue, test_mode=True)
    assert queue.table in claims.probe
    if queue.lease is None:
        return
    for statement in (claim_statement(queue), renew_statement(queue), release_statement(queue)):
        assert not nameless(statement), statement


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM invoices WHERE invoice_id = $1",
        "UPDATE payments SET status = $2 WHERE payment_id = $1",
        "DELETE FROM callbacks",
        "INSERT INTO invoices (invoice_id) VALUES ($1)",
        "SELECT * FROM invoices i JOIN payments p USING (payment_id) WHERE i.account_id = $1",
        "WITH a AS (UPDATE invoices SET due_at = $1 RETURNING account_id) SELECT * FROM a",
        "UPDATE invoices SET due_at = $2 WHERE account_id = $1 AND invoice_id IN (SELECT invoice_id FROM invoices)",
    ],
)
def test_a_statement_that_forgets_it_is_seen(text: str) -> None:
    assert nameless(text)
