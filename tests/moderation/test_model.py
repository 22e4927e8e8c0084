"""What a rule catches, at its limit and on either side of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.moderation.model import AmountRule, CountryRule, Rule, Subject, Success, Terms, VelocityRule, verdict, words

LARGE = AmountRule(currency="USD", at_least=10_000)
ABROAD = CountryRule(countries=("GB", "FR"))
OFTEN = VelocityRule(by=Subject.CARD, count="successes", more_than=3, minutes=60)

EVERY: list[Terms] = [ABROAD, LARGE, OFTEN]


def success(*, amount: int = 100, currency: str = "USD", countries: tuple[str, ...] = ("US",)) -> Success:
    return Success(
        account_id="coma_Ab12000000000001",
        test_mode=True,
        invoice_id="cpi_Ab12000000000001",
        payment_id="pay_Ab12000000000001",
        amount=amount,
        currency=currency,
        countries=countries,
    )


def caught(terms: Terms, taken: Success, others: int = 0) -> bool:
    return verdict([Rule(rule_id="rule_1", terms=terms)], taken, {"rule_1": others}) is not None


@pytest.mark.parametrize("amount, held", [(9_999, False), (10_000, True), (10_001, True)])
def test_an_amount_is_held_from_its_limit_on(amount: int, held: bool) -> None:  # noqa: FBT001
    assert caught(LARGE, success(amount=amount)) is held
    assert not caught(LARGE, success(amount=amount, currency="EUR"))


@pytest.mark.parametrize(
    "countries, held",
    [((), False), (("US",), False), (("GB",), True), (("US", "FR"), True), ((" gb ",), True), (("GBR",), False)],
)
def test_a_country_is_held_wherever_it_stands(countries: tuple[str, ...], held: bool) -> None:  # noqa: FBT001
    assert caught(ABROAD, success(countries=countries)) is held


@pytest.mark.parametrize("others, held", [(0, False), (2, False), (3, True), (4, True)])
def test_so_many_pass_and_the_next_is_held(others: int, held: bool) -> None:  # noqa: FBT001
    assert caught(OFTEN, success(), others) is held


def test_every_rule_that_holds_is_told_and_the_first_gives_its_word() -> None:
    rules = [Rule(rule_id=f"rule_{n}", terms=terms) for n, terms in enumerate(EVERY)]
    hold = verdict(rules, success(amount=10_000, countries=("GB",)), {"rule_2": 3})
    assert hold is not None
    assert (hold.resolution, hold.rule_ids) == ("antifraud_error", ("rule_0", "rule_1", "rule_2"))
    assert hold.reason == "from GB, FR; 100.00 USD or more; more than 3 successes by card in 60 minutes"
    second = verdict(rules[1:], success(amount=10_000), {})
    assert second is not None
    assert (second.resolution, second.rule_ids) == ("limit_violation", ("rule_1",))


countries = st.sampled_from(["US", "GB", "FR", "UA"])
terms = st.one_of(
    st.builds(AmountRule, currency=st.sampled_from(["USD", "EUR", "JPY"]), at_least=st.integers(1, 1_000)),
    st.builds(CountryRule, countries=st.lists(countries, min_size=1).map(tuple)),
    st.builds(
        VelocityRule,
        by=st.sampled_from(Subject),
        count=st.sampled_from(["attempts", "successes"]),
        more_than=st.integers(1, 9),
        minutes=st.integers(1, 99),
    ),
)
successes = st.builds(
    success,
    amount=st.integers(1, 1_000),
    currency=st.sampled_from(["USD", "EUR", "JPY"]),
    countries=st.lists(countries, max_size=2).map(tuple),
)


@given(made=st.lists(terms, max_size=5), taken=successes, others=st.lists(st.integers(0, 9), min_size=5, max_size=5))
def test_a_payment_is_held_when_any_rule_alone_holds_it(made: list[Terms], taken: Success, others: list[int]) -> None:
    rules = [Rule(rule_id=str(n), terms=each) for n, each in enumerate(made)]
    counted = {str(n): count for n, count in enumerate(others)}
    alone = [rule.rule_id for rule in rules if verdict([rule], taken, counted) is not None]
    hold = verdict(rules, taken, counted)
    assert (list(hold.rule_ids) if hold else []) == alone


@given(one=terms, taken=successes, others=st.integers(0, 9), more=st.integers(0, 1_000))
def test_more_money_and_more_payments_never_let_go_what_was_held(
    one: Terms, taken: Success, others: int, more: int
) -> None:
    larger = success(amount=taken.amount + more, currency=taken.currency, countries=taken.countries)
    assert caught(one, larger, others + more) or not caught(one, taken, others)
    assert words(one)
