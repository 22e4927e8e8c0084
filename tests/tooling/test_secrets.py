"""What a stranger shows is compared with a secret in constant time, or how long it takes tells how much was right."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).parents[2] / "src" / "kassa"

COMPARING: Final = (
    "accounts/directory.py",
    "bank/acquirer.py",
    "demo/merchant.py",
    "providers/test/notices.py",
)
"""The files that let somebody in, or believe him, by what he shows."""

_SECRET: Final = re.compile(r"secret|signature|digest|hmac|api_key|password|(private|public)_key\b", re.IGNORECASE)


def plain_comparisons(module: ast.AST) -> Iterator[str]:
    """Yield the comparisons by an operator that a secret takes part in; its length is none."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Compare) or isinstance(node.ops[0], ast.Is | ast.IsNot):
            continue
        if any(_secret(side) for side in (node.left, *node.comparators)):
            yield ast.unparse(node)


def _secret(side: ast.expr) -> bool:
    if isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "len":
        return False
    return any(
        _SECRET.search(word)
        for node in ast.walk(side)
        for word in (getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "value", ""))
        if isinstance(word, str)
    )


def test_no_secret_is_compared_with_an_operator() -> None:
    found = {path: [*plain_comparisons(ast.parse(path.read_text()))] for path in SOURCE.rglob("*.py")}
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_whoever_lets_somebody_in_compares_in_constant_time() -> None:
    found = {
        path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if "compare_digest" in path.read_text()
    }
    assert found == set(COMPARING)


@pytest.mark.parametrize(
    "text",
    [
        "shown == digest",
        "headers.get('bank-signature') != right",
        "account.api_key == given",
        "key in credentials.secrets.values()",
    ],
)
def test_a_comparison_that_takes_its_time_is_seen(text: str) -> None:
    assert [*plain_comparisons(ast.parse(text))] == [text]


@pytest.mark.parametrize("text", ["len(secret) != 32", "hmac.compare_digest(shown, digest)", "kind == 'private'"])
def test_another_comparison_is_none(text: str) -> None:
    assert [*plain_comparisons(ast.parse(text))] == []
