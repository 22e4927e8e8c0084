"""Writes the recipes' part of ``docs/money.md`` from the code, each with a worked example.

    python -m tests.support.money_page

A test holds that the page is what this makes of the present recipes.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from kassa import money
from kassa.ledger.model import DEBIT_NORMAL, Balances, Entry, LedgerAccount, applied
from kassa.ledger.recipes import disputes, payments, refunds

PAGE: Final = Path(__file__).parents[2] / "docs" / "money.md"
BEGIN: Final = "<!-- from the code: python -m tests.support.money_page -->"
END: Final = "<!-- the end of what is from the code -->"

_CURRENCY: Final = "EUR"
_NAMES: Final = {
    "payment_id": "pay_…",
    "refund_id": "ref_…",
    "invoice_id": "cpi_…",
    "currency": _CURRENCY,
}
_PAID: Final = 10_000

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "processed": {"paid": _PAID, "fee": 280, "reserve": 1_000},
    "suspended": {"paid": 9_900},
    "approved": {"paid": 9_900, "fee": 280, "reserve": 990},
    "unexpected": {"paid": _PAID},
    "released": {"reserve": 1_000},
    "refund_started": {"amount": 4_000, "reserve": 1_000},
    "refund_sent": {"amount": 4_000, "fee": 50},
    "refund_mismatched": {"pending": 4_000, "amount": 3_900, "fee": 50, "reserve": -100},
    "refund_failed": {"amount": 4_000, "reserve": 1_000},
    "refund_reopened": {"amount": 4_000, "reserve": 1_000},
    "refund_sent_after_failure": {"amount": 4_000, "fee": 50, "reserve": 1_000},
    "refund_failed_after_success": {"amount": 4_000, "fee": 50, "reserve": 1_000, "pending": 0},
    "charged_back": {"total": 3_000, "amount": 3_000, "fee": 1_500, "reserve": 1_000},
    "charged_back_unexpected": {"total": 3_000, "amount": 3_000, "pending": 3_000},
    "dispute_won": {"total": 3_000, "amount": 3_000, "fee": 1_500, "reserve": 1_000},
    "dispute_won_unexpected": {"total": 3_000, "amount": 3_000, "pending": 3_000},
}
"""What each recipe is shown with."""
CONVERTED: Final[dict[str, dict[str, Any]]] = {
    "processed": {"at_provider": (10_820, "USD")},
    "suspended": {"paid": 10_712, "currency": "USD"},
    "approved": {"at_provider": (10_712, "USD")},
    "refund_sent": {"at_provider": (4_328, "USD")},
    "refund_mismatched": {"at_provider": (4_220, "USD")},
    "refund_sent_after_failure": {"at_provider": (4_328, "USD")},
    "refund_failed_after_success": {"at_provider": (4_328, "USD")},
    "charged_back": {"at_provider": (3_246, "USD")},
    "dispute_won": {"at_provider": (3_246, "USD")},
}
"""What is otherwise where the provider takes another currency; recipes that tell of that one are shown once more."""
AFTER: Final = {
    "approved": "suspended",
    "released": "processed",
    "refund_started": "processed",
    "refund_sent": "refund_started",
    "refund_mismatched": "refund_started",
    "refund_failed": "refund_started",
    "refund_reopened": "refund_failed",
    "refund_sent_after_failure": "refund_failed",
    "refund_failed_after_success": "refund_sent",
    "charged_back": "processed",
    "charged_back_unexpected": "unexpected",
    "dispute_won": "charged_back",
    "dispute_won_unexpected": "charged_back_unexpected",
}
"""Recipes that are shown on top of another, without which they would not happen."""


def known() -> dict[str, Callable[..., Entry]]:
    """Return every recipe by its name, in the order of the files."""
    return {
        name: each
        for module in (payments, refunds, disputes)
        for name, each in sorted(vars(module).items(), key=lambda named: _line(named[1]))
        if inspect.isfunction(each) and each.__module__ == module.__name__
    }


def _line(member: object) -> int:
    return member.__code__.co_firstlineno if inspect.isfunction(member) else 0


def page(present: str) -> str:
    """Return the page with the part between the marks made anew."""
    head, _, rest = present.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{made()}\n{END}{tail}"


def made() -> str:
    """Return the part that comes from the code."""
    return "\n".join(
        [*_ledger_accounts(), *(line for name, recipe in known().items() for line in _recipe(name, recipe))]
    )


def _ledger_accounts() -> Iterator[str]:
    yield from ("### Ledger accounts", "", "| ledger account | grows by | whose money it is |", "|---|---|---|")
    words = _member_words(LedgerAccount)
    for each in LedgerAccount:
        yield f"| {each} | {'debits' if each in DEBIT_NORMAL else 'credits'} | {words[each.name]} |"
    yield ""


def _recipe(name: str, recipe: Callable[..., Entry]) -> Iterator[str]:
    yield from (f"### {name}", "", inspect.cleandoc(recipe.__doc__ or ""), "")
    for converted in (False, True) if "at_provider" in CONVERTED.get(name, {}) else (False,):
        entry, before = _shown(name, converted=converted), _before(name, converted=converted)
        example = _example(name, converted=converted)
        # A total only names the entry.
        told = ", ".join(f"{word} {_told(value)}" for word, value in example.items() if word != "total")
        yield from (f"{told}{f', after {AFTER[name]}' if name in AFTER else ''}:", "")
        yield from ("| debit | credit | amount |", "|---|---|--:|")
        for move in entry.transfers:
            yield f"| {move.debit} | {move.credit} | {_told((move.amount, move.currency))} |"
        yield from ("", f"Balances after it: {_balances(applied(before, entry.transfers))}.", "")


def _told(value: int | tuple[int, str]) -> str:
    """Return an amount, with its currency where that is not the examples' own."""
    minor, currency = value if isinstance(value, tuple) else (value, _CURRENCY)
    return money.to_fixed(minor, currency) if currency == _CURRENCY else f"{money.to_fixed(minor, currency)} {currency}"


def _before(name: str, *, converted: bool) -> Balances:
    """Return the balances after all that an example stands on."""
    if name not in AFTER:
        return {}
    before = AFTER[name]
    return applied(_before(before, converted=converted), _shown(before, converted=converted).transfers)


def _example(name: str, *, converted: bool) -> dict[str, Any]:
    return {**EXAMPLES[name], **(CONVERTED.get(name, {}) if converted else {})}


def _shown(name: str, *, converted: bool) -> Entry:
    recipe, example = known()[name], _example(name, converted=converted)
    own = {"at_provider": (example.get("paid", example.get("amount")), _CURRENCY)}
    given = {**_NAMES, **own, **example}
    return recipe(**{word: given[word] for word in inspect.signature(recipe).parameters if word in given})


def _balances(balances: Balances) -> str:
    return ", ".join(
        f"{ledger_account} {_told((minor, currency))}"
        for ledger_account in LedgerAccount
        for (each, currency), minor in balances.items()
        if each is ledger_account
    )


def _member_words(kind: type[Any]) -> dict[str, str]:
    """Return what a class says below each of its members."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    words: dict[str, str] = {}
    for member, text in pairwise(definition.body):
        match member, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str() as said)):
                words[name] = inspect.cleandoc(said)
            case _:
                pass
    return words


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
