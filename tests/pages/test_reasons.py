import pytest

from kassa.pages.reasons import reason
from kassa.providers.test.wire import RESOLUTIONS


def same(text: str) -> str:
    return text


@pytest.mark.parametrize("resolution", ["lost_or_stolen_card", "card_stolen", "antifraud_error", "customer_blocked"])
def test_suspicion_of_theft_or_fraud_is_not_told(resolution: str) -> None:
    assert reason(resolution, same) == reason("issuer_decline", same)


def test_an_unknown_resolution_has_words_too() -> None:
    assert reason("a_word_of_tomorrow", same).startswith("Your bank declined the payment")


@pytest.mark.parametrize("resolution", sorted(RESOLUTIONS.values()))
def test_every_reason_says_what_to_do(resolution: str) -> None:
    assert any(word in reason(resolution, same) for word in ("Try", "try", "Check"))
