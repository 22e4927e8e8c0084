import pytest

from kassa.work.runner import Pauses


def test_the_pauses_grow_up_to_a_limit_and_end_with_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 100.0
    monkeypatch.setattr("kassa.work.runner.time.monotonic", lambda: moment)
    pauses, lengths = Pauses(), []
    for _ in range(8):
        pauses.begin("a")
        pauses.begin("a")
        began = moment
        while pauses.holds("a"):
            moment += 0.05
        lengths.append(round(moment - began, 1))
    assert lengths == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    pauses.begin("a")
    assert not pauses.holds("b")
    pauses.end("a")
    assert not pauses.holds("a")
