"""What the recipes do to the ledger accounts: every one of them balances, whatever the amounts."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.ledger import recipes
from kassa.ledger.model import DEBIT_NORMAL, Entry, LedgerAccount, applied
from kassa.money import AMOUNT_MAX

RECIPES: dict[str, Callable[..., Entry]] = {name: getattr(recipes, name) for name in recipes.__all__}
TEXTS: dict[str, Any] = {"payment_id": "pay_0000000000000001", "invoice_id": "cpi_0000000000000001", "currency": "USD"}
REFUND: dict[str, Any] = {**TEXTS, "refund_id": "ref_0000000000000001"}
DISPUTE: dict[str, Any] = {**TEXTS, "dispute_id": "dsp_0000000000000001"}


def made(name: str, amounts: dict[str, Any]) -> Entry:
    """Return the entry of a recipe, which is handed what it asks for."""
    known = {**REFUND, **DISPUTE, **amounts}
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
    amounts |= {"pending": draw(st.integers(0, AMOUNT_MAX))}
    at_provider = draw(st.sampled_from([(paid, "USD"), (draw(st.integers(1, AMOUNT_MAX)), "EUR")]))
    return made(name, {**amounts, "at_provider": at_provider})


def test_there_are_recipes_for_what_settling_does() -> None:
    assert set(RECIPES) >= {"processed", "suspended", "approved", "unexpected", "released"}
    assert set(RECIPES) >= {"refund_started", "refund_sent", "refund_failed", "refund_mismatched", "charged_back"}


@given(entry=told())
def test_a_recipe_balances_and_moves_nothing_that_is_not_positive(entry: Entry) -> None:
    balances = applied({}, entry.transfers)
    for currency in {each for _, each in balances}:
        of_currency = {ledger_account: minor for (ledger_account, each), minor in balances.items() if each == currency}
        held = sum(minor for ledger_account, minor in of_currency.items() if ledger_account in DEBIT_NORMAL)
        assert held == sum(minor for ledger_account, minor in of_currency.items() if ledger_account not in DEBIT_NORMAL)
    assert all(transfer.amount > 0 and transfer.debit is not transfer.credit for transfer in entry.transfers)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_an_entry_is_named_after_its_recipe_and_fact(name: str) -> None:
    amounts = dict.fromkeys(("paid", "amount", "total", "fee", "reserve", "pending"), 70)
    entry = made(name, {**amounts, "at_provider": (70, "USD")})
    recipe, *fact = entry.entry_id.split(":")
    assert recipe == entry.recipe == name
    assert fact[0] in (TEXTS["payment_id"], TEXTS["invoice_id"], REFUND["refund_id"])
    # A payment may be charged back several times, each time to another total.
    assert len(fact) == (2 if recipe.startswith(("charged_back", "dispute")) else 1)
    assert entry.invoice_id == TEXTS["invoice_id"]
    wanted = inspect.signature(RECIPES[name]).parameters
    for names, told in (
        ("payment_id", entry.payment_id),
        ("refund_id", entry.refund_id),
        ("dispute_id", entry.dispute_id),
    ):
        assert told == ({**REFUND, **DISPUTE}[names] if names in wanted else None)
    assert entry.charged_back_total == (70 if "total" in wanted else None)


@pytest.mark.parametrize(
    "fact, balances",
    [
        (
            partial(recipes.processed, **TEXTS, paid=10_000, fee=280, reserve=1_000, at_provider=(10_000, "USD")),
            {
                LedgerAccount.PROVIDER: 10_000,
                LedgerAccount.ACTIVE: 8_720,
                LedgerAccount.FEES: 280,
                LedgerAccount.RESERVED: 1_000,
            },
        ),
        (
            partial(recipes.processed, **TEXTS, paid=10_000, fee=0, reserve=0, at_provider=(10_000, "USD")),
            {LedgerAccount.PROVIDER: 10_000, LedgerAccount.ACTIVE: 10_000},
        ),
        (
            partial(recipes.approved, **TEXTS, paid=10_000, fee=280, reserve=1_000, at_provider=(10_000, "USD")),
            {
                LedgerAccount.PENDING: -10_000,
                LedgerAccount.ACTIVE: 8_720,
                LedgerAccount.FEES: 280,
                LedgerAccount.RESERVED: 1_000,
            },
        ),
        (
            partial(recipes.suspended, **TEXTS, paid=10_000),
            {LedgerAccount.PROVIDER: 10_000, LedgerAccount.PENDING: 10_000},
        ),
        (
            partial(recipes.unexpected, **TEXTS, paid=10_000),
            {LedgerAccount.PROVIDER: 10_000, LedgerAccount.PENDING: 10_000},
        ),
        (
            partial(recipes.refund_sent, **REFUND, amount=10_000, fee=0, at_provider=(10_000, "USD")),
            {LedgerAccount.PROVIDER: -10_000, LedgerAccount.PENDING: -10_000},
        ),
        (
            partial(recipes.released, invoice_id=TEXTS["invoice_id"], currency="USD", reserve=1_000),
            {LedgerAccount.RESERVED: -1_000, LedgerAccount.ACTIVE: 1_000},
        ),
        (
            partial(recipes.refund_started, **REFUND, amount=4_000, reserve=1_000),
            {LedgerAccount.RESERVED: -1_000, LedgerAccount.ACTIVE: -3_000, LedgerAccount.PENDING: 4_000},
        ),
        (
            partial(recipes.refund_sent, **REFUND, amount=4_000, fee=50, at_provider=(4_000, "USD")),
            {
                LedgerAccount.PENDING: -4_000,
                LedgerAccount.PROVIDER: -4_000,
                LedgerAccount.ACTIVE: -50,
                LedgerAccount.FEES: 50,
            },
        ),
        (
            partial(
                recipes.refund_mismatched,
                **REFUND,
                pending=4_000,
                amount=3_900,
                fee=50,
                reserve=-30,
                at_provider=(3_900, "USD"),
            ),
            {
                LedgerAccount.PENDING: -4_000,
                LedgerAccount.PROVIDER: -3_900,
                LedgerAccount.ACTIVE: 20,
                LedgerAccount.RESERVED: 30,
                LedgerAccount.FEES: 50,
            },
        ),
        (
            partial(
                recipes.refund_mismatched,
                **REFUND,
                pending=4_000,
                amount=4_100,
                fee=0,
                reserve=60,
                at_provider=(4_100, "USD"),
            ),
            {
                LedgerAccount.PENDING: -4_000,
                LedgerAccount.PROVIDER: -4_100,
                LedgerAccount.ACTIVE: -40,
                LedgerAccount.RESERVED: -60,
            },
        ),
        (
            partial(
                recipes.refund_mismatched,
                **REFUND,
                pending=10_000,
                amount=9_000,
                fee=0,
                reserve=0,
                at_provider=(9_000, "USD"),
            ),
            {LedgerAccount.PENDING: -10_000, LedgerAccount.PROVIDER: -9_000, LedgerAccount.ACTIVE: 1_000},
        ),
        (
            partial(
                recipes.refund_mismatched,
                **REFUND,
                pending=10_000,
                amount=10_500,
                fee=0,
                reserve=0,
                at_provider=(10_500, "USD"),
            ),
            {LedgerAccount.PENDING: -10_000, LedgerAccount.PROVIDER: -10_500, LedgerAccount.ACTIVE: -500},
        ),
        (
            partial(recipes.refund_reopened, **REFUND, amount=4_000, reserve=1_000),
            {LedgerAccount.RESERVED: -1_000, LedgerAccount.ACTIVE: -3_000, LedgerAccount.PENDING: 4_000},
        ),
        (
            partial(recipes.refund_failed, **REFUND, amount=4_000, reserve=1_000),
            {LedgerAccount.PENDING: -4_000, LedgerAccount.ACTIVE: 3_000, LedgerAccount.RESERVED: 1_000},
        ),
        (
            partial(
                recipes.refund_sent_after_failure,
                **REFUND,
                amount=4_000,
                fee=50,
                reserve=1_000,
                at_provider=(4_000, "USD"),
            ),
            {
                LedgerAccount.RESERVED: -1_000,
                LedgerAccount.ACTIVE: -3_050,
                LedgerAccount.PROVIDER: -4_000,
                LedgerAccount.FEES: 50,
            },
        ),
        (
            partial(recipes.charged_back_unexpected, **TEXTS, total=3_000, amount=3_000, pending=3_000),
            {LedgerAccount.PENDING: -3_000, LedgerAccount.PROVIDER: -3_000, LedgerAccount.ACTIVE: 0},
        ),
        (
            partial(recipes.charged_back_unexpected, **TEXTS, total=3_000, amount=3_000, pending=0),
            {LedgerAccount.ACTIVE: -3_000, LedgerAccount.PROVIDER: -3_000},
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
            {
                LedgerAccount.RESERVED: -1_000,
                LedgerAccount.ACTIVE: -3_500,
                LedgerAccount.PROVIDER: -3_000,
                LedgerAccount.FEES: 1_500,
            },
        ),
        (
            partial(
                recipes.refund_failed_after_success,
                **REFUND,
                amount=4_000,
                fee=50,
                reserve=1_000,
                pending=0,
                at_provider=(4_000, "USD"),
            ),
            {
                LedgerAccount.PROVIDER: 4_000,
                LedgerAccount.ACTIVE: 3_050,
                LedgerAccount.FEES: -50,
                LedgerAccount.RESERVED: 1_000,
            },
        ),
        (
            partial(
                recipes.refund_failed_after_success,
                **REFUND,
                amount=4_000,
                fee=0,
                reserve=0,
                pending=4_000,
                at_provider=(4_000, "USD"),
            ),
            {LedgerAccount.PROVIDER: 4_000, LedgerAccount.ACTIVE: 0, LedgerAccount.PENDING: 4_000},
        ),
    ],
)
def test_a_recipe_moves_money_as_its_words_say(fact: Callable[[], Entry], balances: dict[LedgerAccount, int]) -> None:
    assert applied({}, fact().transfers) == {
        (ledger_account, "USD"): minor for ledger_account, minor in balances.items()
    }


PAID = partial(recipes.processed, **TEXTS, paid=10_000, fee=280, reserve=1_000, at_provider=(9_104, "EUR"))
BEGUN = partial(recipes.refund_started, **REFUND, amount=10_000, reserve=1_000)
BACK: dict[str, Any] = {"amount": 10_000, "at_provider": (9_104, "EUR")}
OF_THE_GATEWAY = {(LedgerAccount.FEES, "USD"): 280, (LedgerAccount.ACTIVE, "USD"): -280}


@pytest.mark.parametrize(
    "facts, balances",
    [
        (
            [PAID],
            {
                (LedgerAccount.PROVIDER, "EUR"): 9_104,
                (LedgerAccount.EXCHANGE, "EUR"): 9_104,
                (LedgerAccount.EXCHANGE, "USD"): -10_000,
                (LedgerAccount.ACTIVE, "USD"): 8_720,
                (LedgerAccount.FEES, "USD"): 280,
                (LedgerAccount.RESERVED, "USD"): 1_000,
            },
        ),
        (
            [
                partial(recipes.suspended, **{**TEXTS, "currency": "EUR"}, paid=9_104),
                partial(recipes.approved, **TEXTS, paid=10_000, fee=0, reserve=0, at_provider=(9_104, "EUR")),
            ],
            {
                (LedgerAccount.PROVIDER, "EUR"): 9_104,
                (LedgerAccount.EXCHANGE, "EUR"): 9_104,
                (LedgerAccount.EXCHANGE, "USD"): -10_000,
                (LedgerAccount.ACTIVE, "USD"): 10_000,
            },
        ),
        ([PAID, BEGUN, partial(recipes.refund_sent, **REFUND, **BACK, fee=0)], OF_THE_GATEWAY),
        (
            [
                PAID,
                BEGUN,
                partial(recipes.refund_failed, **REFUND, amount=10_000, reserve=1_000),
                partial(recipes.refund_sent_after_failure, **REFUND, **BACK, fee=0, reserve=1_000),
            ],
            OF_THE_GATEWAY,
        ),
        ([PAID, partial(recipes.charged_back, **TEXTS, **BACK, total=9_104, fee=0, reserve=1_000)], OF_THE_GATEWAY),
    ],
)
def test_a_conversion_takes_in_one_currency_and_gives_in_another_and_going_back_undoes_it(
    facts: list[Callable[[], Entry]], balances: dict[tuple[LedgerAccount, str], int]
) -> None:
    after = applied({}, [transfer for fact in facts for transfer in fact().transfers])
    assert {ledger_account: minor for ledger_account, minor in after.items() if minor} == balances


def test_a_payment_that_went_back_leaves_nothing_behind() -> None:
    entries = [
        recipes.unexpected(**TEXTS, paid=70),
        recipes.refund_sent(**REFUND, amount=70, fee=0, at_provider=(70, "USD")),
    ]
    balances = applied({}, [transfer for entry in entries for transfer in entry.transfers])
    assert set(balances.values()) == {0}


def test_a_refund_that_failed_leaves_the_merchants_money_where_it_was_and_one_told_late_takes_it() -> None:
    begun = recipes.refund_started(**REFUND, amount=70, reserve=20)
    failed = applied({}, [*begun.transfers, *recipes.refund_failed(**REFUND, amount=70, reserve=20).transfers])
    done = applied(
        {}, [*begun.transfers, *recipes.refund_sent(**REFUND, amount=70, fee=1, at_provider=(70, "USD")).transfers]
    )
    late = applied(
        failed,
        recipes.refund_sent_after_failure(**REFUND, amount=70, fee=1, reserve=20, at_provider=(70, "USD")).transfers,
    )
    assert set(failed.values()) == {0}
    assert late == done


@pytest.mark.parametrize("at_provider", [(3_000, "USD"), (2_731, "EUR")], ids=["same currency", "converted"])
@pytest.mark.parametrize(
    "done, undone, own",
    [
        (recipes.charged_back, recipes.dispute_won, {"fee": 1_500, "reserve": 1_000}),
        (recipes.charged_back_unexpected, recipes.dispute_won_unexpected, {"pending": 1_200}),
    ],
)
def test_a_dispute_that_is_won_undoes_its_chargeback_to_the_last_unit(
    done: Callable[..., Entry], undone: Callable[..., Entry], own: dict[str, int], at_provider: tuple[int, str]
) -> None:
    told = {**DISPUTE, **own, "total": 5_000, "amount": 3_000, "at_provider": at_provider}
    entries = [
        recipe(**{name: told[name] for name in inspect.signature(recipe).parameters}) for recipe in (done, undone)
    ]
    after = applied({}, [transfer for entry in entries for transfer in entry.transfers])
    assert len(after) >= 3
    assert set(after.values()) == {0}


@pytest.mark.parametrize("at_provider", [(70, "USD"), (64, "EUR")], ids=["same currency", "converted"])
def test_a_refund_that_failed_after_it_was_sent_leaves_all_as_if_there_had_been_none(
    at_provider: tuple[int, str],
) -> None:
    entries = [
        recipes.refund_started(**REFUND, amount=70, reserve=20),
        recipes.refund_sent(**REFUND, amount=70, fee=3, at_provider=at_provider),
        recipes.refund_failed_after_success(**REFUND, amount=70, fee=3, reserve=20, pending=0, at_provider=at_provider),
    ]
    after = applied({}, [transfer for entry in entries for transfer in entry.transfers])
    assert set(after.values()) == {0}


def test_a_refund_of_unexpected_money_that_failed_after_it_was_sent_is_pending_again() -> None:
    first = recipes.unexpected(**TEXTS, paid=70)
    sent: dict[str, Any] = {"amount": 70, "fee": 0, "at_provider": (70, "USD")}
    then = [
        recipes.refund_sent(**REFUND, **sent),
        recipes.refund_failed_after_success(**REFUND, **sent, reserve=0, pending=70),
    ]
    after = applied({}, [transfer for entry in (first, *then) for transfer in entry.transfers])
    pending = applied({}, first.transfers)
    assert {key: minor for key, minor in after.items() if minor} == pending
