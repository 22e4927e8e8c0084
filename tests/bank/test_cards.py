import pytest

from kassa.bank import cards
from kassa.bank.cards import IssuerAnswer, issuer_answer
from kassa.providers.test.wire import RESOLUTIONS

TABLE = """
    08/56 access_denied, 07/55 error, 06/54 provider_error, 05/53 unknown, 04/52 duplicated_transaction,
    03/51 auth_fatal_error, 02/50 unable_to_determine_3ds_enrolment, 01/49 card_is_3ds_enrolled,
    12/48 card_is_not_3ds_enrolled, 11/47 issuer_decline, 10/46 client_auth_failed, 09/45 provider_fatal_error,
    08/44 invalid_details, 07/43 invalid_pin, 06/42 antifraud_error, 05/41 invalid_card, 04/40 fatal_error,
    03/39 unable_to_reconcile, 02/38 invalid_amount, 01/37 limit_violation, 12/36 functionality_is_not_permitted,
    11/35 invalid_request, 10/34 lost_or_stolen_card, 09/33 declined, 08/32 invalid_otp, 07/31 invalid_3ds_code,
    06/30 invalid_card_status, 05/29 insufficient_funds, 04/28 card_expired, 03/27 invalid_cvv, 02/26 invalid_pan,
    01/25 invalid_credentials
"""
"""contract#test-cards, as it is there."""

EXPECTED = dict(row.split() for row in TABLE.split(","))


@pytest.mark.parametrize(
    "number, secure, code",
    [
        ("5123817234060000", True, "00"),
        ("5519283812030000", False, "00"),
        ("4412397212080000", True, "20"),
        ("4302912837020000", False, "20"),
    ],
)
def test_each_test_card_has_its_outcome(number: str, *, secure: bool, code: str) -> None:
    assert issuer_answer(number, "12/30") == IssuerAnswer(secure=secure, code=code)


@pytest.mark.parametrize("number", ["4412397212080000", "4302912837020000"])
def test_on_a_failing_card_the_expiry_chooses_the_resolution(number: str) -> None:
    found = {expiry: RESOLUTIONS[issuer_answer(number, expiry).code or ""] for expiry in EXPECTED}
    assert found == EXPECTED
    assert set(cards.REFUSALS) == set(EXPECTED)


@pytest.mark.parametrize("expiry", ["07/77", "01/26", "11/30"])
def test_any_other_expiry_on_a_failing_card_is_a_general_fatal_error(expiry: str) -> None:
    assert RESOLUTIONS[issuer_answer("4302912837020000", expiry).code or ""] == "general_fatal_error"


def test_every_response_code_has_a_text_and_a_resolution() -> None:
    assert set(cards.TEXTS) == {cards.APPROVED, *RESOLUTIONS}
    alone = [word for code, word in RESOLUTIONS.items() if code not in (cards.NOT_CONFIRMED, cards.CANCELLED)]
    assert len(set(alone)) == len(alone)
    assert RESOLUTIONS[cards.NOT_CONFIRMED] == RESOLUTIONS[cards.CANCELLED] == "client_auth_failed"


@pytest.mark.parametrize("number", ["5123817234060000", "5519283812030000"])
def test_on_a_good_card_only_07_77_stays_undecided(number: str) -> None:
    assert issuer_answer(number, "07/77").code is None
    assert all(issuer_answer(number, expiry).code == "00" for expiry in EXPECTED)


@pytest.mark.parametrize(
    "number, code", [("4111111111111111", "15"), ("4111111111111112", "14"), ("2200000000000004", "15")]
)
def test_a_number_that_no_issuer_here_gave_out_is_refused(number: str, code: str) -> None:
    assert issuer_answer(number, "12/30") == IssuerAnswer(secure=False, code=code)
