"""Rules as an operator writes them."""

import pytest

from kassa.errors import Invalid
from kassa.moderation.model import AmountRule, CountryRule, Subject, Terms, VelocityRule
from kassa.moderation.terms import read

VELOCITY = {"by": "card", "count": "successes", "more_than": "3", "minutes": "60"}


@pytest.mark.parametrize(
    "kind, texts, rule",
    [
        ("amount", {"currency": "usd", "at_least": "100.5"}, AmountRule(currency="USD", at_least=10_050)),
        ("amount", {"currency": "JPY", "at_least": "1"}, AmountRule(currency="JPY", at_least=1)),
        ("country", {"countries": "us, GB,,us"}, CountryRule(countries=("US", "GB"))),
        ("velocity", VELOCITY, VelocityRule(by=Subject.CARD, count="successes", more_than=3, minutes=60)),
        (
            "velocity",
            {"by": "client_ip", "count": "attempts", "more_than": "1000", "minutes": "44640"},
            VelocityRule(by=Subject.CLIENT_IP, count="attempts", more_than=1000, minutes=44640),
        ),
    ],
)
def test_a_rule_is_read(kind: str, texts: dict[str, str], rule: Terms) -> None:
    assert read(kind, texts) == rule


@pytest.mark.parametrize(
    "kind, texts, wrong",
    [
        ("", {}, {"kind"}),
        ("speed", VELOCITY, {"kind"}),
        ("amount", {}, {"currency", "at_least"}),
        ("amount", {"currency": "USD", "at_least": " "}, {"at_least"}),
        ("amount", {"currency": "USD", "at_least": "0"}, {"at_least"}),
        ("amount", {"currency": "USD", "at_least": "1.001"}, {"at_least"}),
        ("amount", {"currency": "USD", "at_least": "1e3"}, {"at_least"}),
        ("amount", {"currency": "QQQ", "at_least": "1"}, {"currency"}),
        ("amount", {"currency": "USD", "at_least": "1", "minutes": "5"}, {"minutes"}),
        ("country", {"countries": ","}, {"countries"}),
        ("country", {"countries": "UK"}, {"countries"}),
        ("country", {"countries": "GBR"}, {"countries"}),
        ("velocity", {**VELOCITY, "by": "phone"}, {"by"}),
        ("velocity", {**VELOCITY, "count": "refunds"}, {"count"}),
        ("velocity", {**VELOCITY, "more_than": "0"}, {"more_than"}),
        ("velocity", {**VELOCITY, "more_than": "1001"}, {"more_than"}),
        ("velocity", {**VELOCITY, "minutes": "0", "more_than": "-1"}, {"more_than", "minutes"}),
        ("velocity", {**VELOCITY, "minutes": "44641"}, {"minutes"}),
        ("velocity", {**VELOCITY, "minutes": "x"}, {"minutes"}),
    ],
)
def test_a_text_that_is_no_rule_is_named(kind: str, texts: dict[str, str], wrong: set[str]) -> None:
    with pytest.raises(Invalid) as refused:
        read(kind, texts)
    assert set(refused.value.errors) == wrong
