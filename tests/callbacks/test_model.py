from datetime import UTC, datetime, timedelta

import pytest

from kassa.callbacks.model import (
    Answered,
    Delivered,
    Failed,
    Failure,
    Retry,
    Unanswered,
    Verdict,
    failure_of,
    judge,
    retry_after,
    try_seconds,
)
from kassa.errors import Cause

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def answer(code: int, *, tries: int = 1, retries: int = 100, asked: timedelta | None = None) -> Verdict:
    return judge(Answered(response_code=code, retry_after=asked), tries=tries, retries_max=retries, now=NOW)


def retry(code: int, minutes: float) -> Retry:
    return Retry(response_code=code, failure=Failure.STATUS, due_at=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_delivery(code: int) -> None:
    assert answer(code) == Delivered(response_code=code)


@pytest.mark.parametrize("code", [100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 502, 503, 999])
def test_every_other_status_is_tried_again_after_a_minute(code: int) -> None:
    assert answer(code) == retry(code, 1)


def test_the_nth_retry_comes_n_minutes_after_the_nth_try() -> None:
    assert [answer(500, tries=n) for n in (1, 2, 3, 100)] == [retry(500, n) for n in (1, 2, 3, 100)]


def test_a_hundred_retries_follow_the_first_try_and_no_more() -> None:
    assert answer(500, tries=100) == retry(500, 100)
    assert answer(500, tries=101) == Failed(response_code=500, failure=Failure.STATUS)
    assert answer(200, tries=101) == Delivered(response_code=200)


def test_an_account_can_do_without_retries() -> None:
    assert answer(500, tries=1, retries=0) == Failed(response_code=500, failure=Failure.STATUS)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.STATUS])
def test_silence_of_every_kind_is_tried_again(cause: Cause) -> None:
    silent, failure = Unanswered(cause=cause), failure_of(cause)
    assert judge(silent, tries=2, retries_max=100, now=NOW) == Retry(
        response_code=None, failure=failure, due_at=NOW + timedelta(minutes=2)
    )
    assert judge(silent, tries=3, retries_max=2, now=NOW) == Failed(response_code=None, failure=failure)


@pytest.mark.parametrize(
    "asked, minutes", [(-60, 3), (0, 3), (60, 3), (180, 3), (240, 4), (360, 6), (361, 6), (10**8, 6)]
)
def test_what_the_endpoint_asks_for_counts_up_to_twice_the_planned_delay(asked: int, minutes: int) -> None:
    assert answer(503, tries=3, asked=timedelta(seconds=asked)) == retry(503, minutes)


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("120", 120),
        ("0", 0),
        ("Tue, 01 Jan 2030 00:02:00 GMT", 120),
        ("Tue, 01 Jan 2030 00:02:00 -0000", 120),
        ("9" * 5000, 999_999_999),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: int) -> None:
    assert retry_after(text, now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", [None, "", "soon", "-5", "1.5", "²", "Tue, 99 Foo 2030", "Mon, 01 Jan 99999 0:0:0 GMT"]
)
def test_a_retry_after_that_is_neither_is_ignored(text: str | None) -> None:
    assert retry_after(text, now=NOW) is None


def test_a_try_takes_no_longer_than_its_mode_allows() -> None:
    assert (try_seconds(test_mode=True), try_seconds(test_mode=False)) == (20, 60)
