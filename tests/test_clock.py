from datetime import UTC, datetime, timedelta

import pytest

from kassa.clock import Clock, Reading

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Turned(Clock):
    """A clock whose hands and whose count of seconds a test sets."""

    hands = NOON
    count = 100.0

    def real(self) -> datetime:  # type: ignore[override]  # this one has hands of its own
        return self.hands

    def reading(self) -> Reading:
        return Reading(self.hands, self.count)


def seconds(clock: Clock) -> float:
    return clock.apart().total_seconds()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Turned:
    turned = Turned()
    monkeypatch.setattr("kassa.clock.time.monotonic", lambda: turned.count)
    return turned


def pass_by(clock: Turned, seconds: float) -> None:
    clock.hands += timedelta(seconds=seconds)
    clock.count += seconds


@pytest.mark.parametrize("ahead,agrees", [(0, True), (5, True), (-5, True), (6, False), (-6, False), (3600, False)])
def test_a_clock_agrees_within_five_seconds(clock: Turned, *, ahead: int, agrees: bool) -> None:
    clock.compare(NOON - timedelta(seconds=ahead), clock.reading())
    assert (seconds(clock), clock.agrees()) == (ahead, agrees)


def test_a_slow_answer_is_no_difference(clock: Turned) -> None:
    asked = clock.reading()
    pass_by(clock, 30)
    for said in (0, 10, 30):
        clock.compare(NOON + timedelta(seconds=said), asked)
        assert seconds(clock) == 0
    clock.compare(NOON + timedelta(seconds=40), asked)
    assert seconds(clock) == -10


def test_time_that_passes_makes_no_difference_and_a_jump_does_before_it_is_compared_again(clock: Turned) -> None:
    clock.compare(NOON, clock.reading())
    pass_by(clock, 3600)
    assert clock.agrees()
    clock.hands += timedelta(hours=1)
    assert (seconds(clock), clock.agrees()) == (3600, False)
    clock.hands -= timedelta(hours=2)
    assert seconds(clock) == -3600


def test_a_jump_while_the_database_answers_is_seen(clock: Turned) -> None:
    asked = clock.reading()
    pass_by(clock, 1)
    clock.hands += timedelta(hours=1)
    clock.compare(NOON + timedelta(seconds=1), asked)
    assert seconds(clock) == 3600
