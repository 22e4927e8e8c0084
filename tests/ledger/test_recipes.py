"""What the recipes do to the purses: every one of them balances, whatever the amounts."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.ledger import recipes
from kassa.ledger.model import DEBIT_NORMAL, Entry, Purse, applied
from kassa.money import AMOUNT_MAX

RECIPES: dict[str, Callable[..., Entry]] = {
    name: function
    for name, function in inspect.getmembers(recipes, inspect.isfunction)
    if function.__module__ == recipes.__name__ and "__mutmut_" not in name  # `make mutants` puts variants beside them
}
TEXTS: dict[str, Any] = {"payment_id": "pay_0000000000000001", "invoice_id": "cpi_0000000000000001", "currency": "USD"}
REFUND: dict[str, Any] = {"refund_id": "ref_0000000000000001", "invoice_id": "cpi_0000000000000001", "currency": "USD"}


def made(name: str, amounts: dict[str, Any]) -> Entry:
    """Return the entry of a recipe, which is handed what it asks for."""
    known = {**TEXTS, **REFUND, **amounts}
    recipe = RECIPES[name]
    return recipe(**{wanted: known[wanted] for wanted in inspect.signature(recipe).parameters})


@st.composite
def told(draw: st.DrawFn) -> Entry:
    """An entry of any recipe; its amounts are parts of what was paid, as the model makes them."""
    name = draw(st.sampled_from(sorted(RECIPES)))
    paid = draw(st.integers(0, AMOUNT_MAX))
    fee = draw(st.integers(0, paid))
    reserve = draw(st.integers(0, paid - fee))
    amounts = {"paid": paid, "amount": paid, "total": paid, "fee": fee, "reserve": reserve}
    amounts |= {"set_aside": draw(st.integers(0, AMOUNT_MAX)), "held": draw(st.integers(0, paid))}
    at_provider = draw(st.sampled_from([(paid, "USD"), (draw(st.integers(1, AMOUNT_MAX)), "EUR")]))
    return made(name, {**amounts, "at_provider": at_provider})


def test_there_are_recipes_for_what_settling_does() -> None:
    assert set(RECIPES) >= {"processed", "suspended", "approved", "unwanted", "returned", "released"}
    assert set(RECIPES) >= {"refund_begun", "refunded", "refund_failed", "refunded_late", "charged_back"}


@given(entry=told())
def test_a_recipe_balances_and_moves_nothing_that_is_not_positive(entry: Entry) -> None:
    balances = applied({}, entry.transfers)
    for currency in {each for _, each in balances}:
        of_currency = {purse: minor for (purse, each), minor in balances.items() if each == currency}
        held = sum(minor for purse, minor in of_currency.items() if purse in DEBIT_NORMAL)
        assert held == sum(minor for purse, minor in of_currency.items() if purse not in DEBIT_NORMAL)
    assert all(transfer.amount > 0 and transfer.debit is not transfer.credit for transfer in entry.transfers)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_an_entry_is_named_after_its_recipe_and_fact(name: str) -> None:
    amounts = dict.fromkeys(("paid", "amount", "total", "fee", "reserve", "set_aside", "held"), 70)
    entry = made(name, {**amounts, "at_provider": (70, "USD")})
    recipe, *fact = entry.entry_id.split(":")
    assert recipe == entry.recipe == name
    assert fact[0] in (TEXTS["payment_id"], TEXTS["invoice_id"], REFUND["refund_id"])
    # A payment may be charged back several times, each time to another total.
    assert len(fact) == (2 if recipe.startswith("charged_back") else 1)
    assert entry.invoice_id == TEXTS["invoice_id"]


@pytest.mark.parametrize(
    "fact, balances",
    [
        (
            partial(recipes.processed, **TEXTS, paid=10_000, fee=280, reserve=1_000, at_provider=(10_000, "USD")),
            {Purse.PROVIDER: 10_000, Purse.ACTIVE: 8_720, Purse.FEES: 280, Purse.RESERVED: 1_000},
        ),
        (
            partial(recipes.processed, **TEXTS, paid=10_000, fee=0, reserve=0, at_provider=(10_000, "USD")),
            {Purse.PROVIDER: 10_000, Purse.ACTIVE: 10_000},
        ),
        (
            partial(recipes.approved, **TEXTS, paid=10_000, fee=280, reserve=1_000, at_provider=(10_000, "USD")),
            {Purse.PENDING: -10_000, Purse.ACTIVE: 8_720, Purse.FEES: 280, Purse.RESERVED: 1_000},
        ),
        (partial(recipes.suspended, **TEXTS, paid=10_000), {Purse.PROVIDER: 10_000, Purse.PENDING: 10_000}),
        (partial(recipes.unwanted, **TEXTS, paid=10_000), {Purse.PROVIDER: 10_000, Purse.PENDING: 10_000}),
        (partial(recipes.returned, **TEXTS, paid=10_000), {Purse.PROVIDER: -10_000, Purse.PENDING: -10_000}),
        (
            partial(recipes.released, invoice_id=TEXTS["invoice_id"], currency="USD", reserve=1_000),
            {Purse.RESERVED: -1_000, Purse.ACTIVE: 1_000},
        ),
        (
            partial(recipes.refund_begun, **REFUND, amount=4_000, reserve=1_000),
            {Purse.RESERVED: -1_000, Purse.ACTIVE: -3_000, Purse.PENDING: 4_000},
        ),
        (
            partial(recipes.refunded, **REFUND, amount=4_000, fee=50, at_provider=(4_000, "USD")),
            {Purse.PENDING: -4_000, Purse.PROVIDER: -4_000, Purse.ACTIVE: -50, Purse.FEES: 50},
        ),
        (
            partial(
                recipes.refunded_otherwise,
                **REFUND,
                set_aside=4_000,
                amount=3_900,
                fee=50,
                reserve=-30,
                at_provider=(3_900, "USD"),
            ),
            {
                Purse.PENDING: -4_000,
                Purse.PROVIDER: -3_900,
                Purse.ACTIVE: 20,
                Purse.RESERVED: 30,
                Purse.FEES: 50,
            },
        ),
        (
            partial(
                recipes.refunded_otherwise,
                **REFUND,
                set_aside=4_000,
                amount=4_100,
                fee=0,
                reserve=60,
                at_provider=(4_100, "USD"),
            ),
            {Purse.PENDING: -4_000, Purse.PROVIDER: -4_100, Purse.ACTIVE: -40, Purse.RESERVED: -60},
        ),
        (
            partial(recipes.returned_otherwise, **TEXTS, paid=10_000, at_provider=(9_000, "USD")),
            {Purse.PENDING: -10_000, Purse.PROVIDER: -9_000, Purse.ACTIVE: 1_000},
        ),
        (
            partial(recipes.returned_otherwise, **TEXTS, paid=10_000, at_provider=(10_500, "USD")),
            {Purse.PENDING: -10_000, Purse.PROVIDER: -10_500, Purse.ACTIVE: -500},
        ),
        (
            partial(recipes.refund_begun_again, **REFUND, amount=4_000, reserve=1_000),
            {Purse.RESERVED: -1_000, Purse.ACTIVE: -3_000, Purse.PENDING: 4_000},
        ),
        (
            partial(recipes.refund_failed, **REFUND, amount=4_000, reserve=1_000),
            {Purse.PENDING: -4_000, Purse.ACTIVE: 3_000, Purse.RESERVED: 1_000},
        ),
        (
            partial(recipes.refunded_late, **REFUND, amount=4_000, fee=50, reserve=1_000, at_provider=(4_000, "USD")),
            {Purse.RESERVED: -1_000, Purse.ACTIVE: -3_050, Purse.PROVIDER: -4_000, Purse.FEES: 50},
        ),
        (
            partial(recipes.charged_back_unwanted, **TEXTS, total=3_000, amount=3_000, held=3_000),
            {Purse.PENDING: -3_000, Purse.PROVIDER: -3_000, Purse.ACTIVE: 0},
        ),
        (
            partial(recipes.charged_back_unwanted, **TEXTS, total=3_000, amount=3_000, held=0),
            {Purse.ACTIVE: -3_000, Purse.PROVIDER: -3_000},
        ),
        (
            partial(
                recipes.charged_back,
                **TEXTS,
                total=5_000,
                amount=3_000,
                fee=1_500,
                reserve=1_000,
                at_provider=(3_000, "USD"),
            ),
            {Purse.RESERVED: -1_000, Purse.ACTIVE: -3_500, Purse.PROVIDER: -3_000, Purse.FEES: 1_500},
        ),
    ],
)
def test_a_recipe_moves_money_as_its_words_say(fact: Callable[[], Entry], balances: dict[Purse, int]) -> None:
    assert applied({}, fact().transfers) == {(purse, "USD"): minor for purse, minor in balances.items()}


PAID = partial(recipes.processed, **TEXTS, paid=10_000, fee=280, reserve=1_000, at_provider=(9_104, "EUR"))
BEGUN = partial(recipes.refund_begun, **REFUND, amount=10_000, reserve=1_000)
BACK: dict[str, Any] = {"amount": 10_000, "at_provider": (9_104, "EUR")}
OF_THE_GATEWAY = {(Purse.FEES, "USD"): 280, (Purse.ACTIVE, "USD"): -280}


@pytest.mark.parametrize(
    "facts, balances",
    [
        (
            [PAID],
            {
                (Purse.PROVIDER, "EUR"): 9_104,
                (Purse.EXCHANGE, "EUR"): 9_104,
                (Purse.EXCHANGE, "USD"): -10_000,
                (Purse.ACTIVE, "USD"): 8_720,
                (Purse.FEES, "USD"): 280,
                (Purse.RESERVED, "USD"): 1_000,
            },
        ),
        (
            [
                partial(recipes.suspended, **{**TEXTS, "currency": "EUR"}, paid=9_104),
                partial(recipes.approved, **TEXTS, paid=10_000, fee=0, reserve=0, at_provider=(9_104, "EUR")),
            ],
            {
                (Purse.PROVIDER, "EUR"): 9_104,
                (Purse.EXCHANGE, "EUR"): 9_104,
                (Purse.EXCHANGE, "USD"): -10_000,
                (Purse.ACTIVE, "USD"): 10_000,
            },
        ),
        ([PAID, BEGUN, partial(recipes.refunded, **REFUND, **BACK, fee=0)], OF_THE_GATEWAY),
        (
            [
                PAID,
                BEGUN,
                partial(recipes.refund_failed, **REFUND, amount=10_000, reserve=1_000),
                partial(recipes.refunded_late, **REFUND, **BACK, fee=0, reserve=1_000),
            ],
            OF_THE_GATEWAY,
        ),
        ([PAID, partial(recipes.charged_back, **TEXTS, **BACK, total=9_104, fee=0, reserve=1_000)], OF_THE_GATEWAY),
    ],
)
def test_a_conversion_takes_in_one_currency_and_gives_in_another_and_going_back_undoes_it(
    facts: list[Callable[[], Entry]], balances: dict[tuple[Purse, str], int]
) -> None:
    after = applied({}, [transfer for fact in facts for transfer in fact().transfers])
    assert {purse: minor for purse, minor in after.items() if minor} == balances


def test_a_payment_that_went_back_leaves_nothing_behind() -> None:
    entries = [recipes.unwanted(**TEXTS, paid=70), recipes.returned(**TEXTS, paid=70)]
    balances = applied({}, [transfer for entry in entries for transfer in entry.transfers])
    assert set(balances.values()) == {0}


def test_a_refund_that_failed_leaves_the_merchants_money_where_it_was_and_one_told_late_takes_it() -> None:
    begun = recipes.refund_begun(**REFUND, amount=70, reserve=20)
    failed = applied({}, [*begun.transfers, *recipes.refund_failed(**REFUND, amount=70, reserve=20).transfers])
    done = applied(
        {}, [*begun.transfers, *recipes.refunded(**REFUND, amount=70, fee=1, at_provider=(70, "USD")).transfers]
    )
    late = applied(
        failed, recipes.refunded_late(**REFUND, amount=70, fee=1, reserve=20, at_provider=(70, "USD")).transfers
    )
    assert set(failed.values()) == {0}
    assert late == done
