"""What a key is_kept for, decided without a database."""

import pytest

from kassa.clock import Clock
from kassa.errors import Invalid, RequestUnderWay
from kassa.idempotency.model import Claim, KnownKey, Result, fingerprint, is_kept, is_key, repeated

ASKED = fingerprint("POST", "/payment-invoices", b"{}")
RESULT = Result(status=201, body=b"{}")


def test_a_request_is_recognised_by_its_method_its_address_and_its_bytes() -> None:
    assert fingerprint("POST", "/payment-invoices", b"{}") == ASKED
    others = [("POST", "/payment-invoices", b"{ }"), ("POST", "/other", b"{}"), ("PUT", "/payment-invoices", b"{}")]
    assert len({ASKED, *(fingerprint(*other) for other in others)}) == 4


@pytest.mark.parametrize("text", ["x", "8e03978e-40d5-43dd-bc93-6894a57f9324", '"quoted"', "a b", "~" * 255])
def test_any_printable_text_is_a_key(text: str) -> None:
    assert is_key(text)


@pytest.mark.parametrize("text", ["", "x" * 256, "ключ", "a\tb", "a\nb", "x\n", "\x7f", "é"])
def test_no_other_text_is_one(text: str) -> None:
    assert not is_key(text)


def test_a_repeat_gets_the_result_and_nothing_else() -> None:
    assert repeated(KnownKey(fingerprint=ASKED, result=RESULT), ASKED) == RESULT
    with pytest.raises(RequestUnderWay):
        repeated(KnownKey(fingerprint=ASKED, result=None), ASKED)
    for result in (RESULT, None):
        with pytest.raises(Invalid) as refused:
            repeated(KnownKey(fingerprint=b"other", result=result), ASKED)
        assert refused.value.errors == {"Idempotency-Key": "This key was used for another request."}


def test_what_was_done_stands_and_what_was_refused_does_not() -> None:
    assert [status for status in (200, 201, 202, 409, 500, 502, 504) if not is_kept(status)] == []
    assert [status for status in (400, 401, 403, 404, 405, 413, 415, 422, 429, 503) if is_kept(status)] == []


def test_a_key_names_what_its_request_creates() -> None:
    claim = Claim(
        account_id="coma_0000000000000000",
        key="x",
        serial="abcd123456789012",
        resumed=False,
        leased_until=Clock.real(),
    )
    assert claim.named("cpi") == "cpi_abcd123456789012"
