from pathlib import Path

import pytest

from kassa.config import Settings, load
from kassa.errors import SettingsWrong
from kassa.serving.roles import Role
from kassa.serving.sizing import CONNECTIONS_GOOD, CONNECTIONS_MIN, SHARED, SUPERVISOR, cores, fitted, wanted_workers


def test_a_demo_has_one_worker_and_what_is_asked_for_counts() -> None:
    assert wanted_workers(Settings(demo=True), SHARED) == 1
    assert wanted_workers(Settings(), SHARED) == cores()
    assert wanted_workers(Settings(workers=3, demo=True), SHARED) == 3
    assert wanted_workers(Settings(workers=3), frozenset({Role.BANK})) == 1


@pytest.mark.parametrize(
    "text,expected", [("max 100000", None), ("50000 100000", 1), ("100000 100000", 1), ("", None), ("nonsense", None)]
)
def test_a_containers_share_of_the_cores_counts(tmp_path: Path, text: str, expected: int | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert cores(tmp_path / "cpu.max") == (expected or cores(tmp_path / "none"))


@pytest.mark.parametrize("connections", range(40, 400, 7))
@pytest.mark.parametrize("wanted", [1, 2, 5, 16, 64])
def test_all_connections_together_fit(connections: int, wanted: int) -> None:
    plan = fitted(connections, wanted, fixed=False)
    supervisor = SUPERVISOR.total if plan.workers > 1 else 0
    assert 1 <= plan.workers <= wanted
    assert plan.workers * plan.sizes.total + supervisor <= connections - 10
    assert plan.workers == 1 or plan.sizes.total >= CONNECTIONS_GOOD


def test_a_number_that_was_asked_for_is_kept_or_refused() -> None:
    plan = fitted(100, 14, fixed=True)
    assert (plan.workers, plan.sizes.total) == (14, CONNECTIONS_MIN)
    with pytest.raises(SettingsWrong, match="104 are needed for KASSA_WORKERS=15"):
        fitted(100, 15, fixed=True)


def test_one_process_opens_as_many_as_ever() -> None:
    sizes = fitted(97, 1, fixed=False).sizes
    assert (sizes.app, sizes.view) == (16, 8)


@pytest.mark.parametrize("text", ["0", "257", "many"])
def test_a_number_of_workers_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(SettingsWrong, match=r"KASSA_WORKERS: .* is not a whole number from 1 to 256"):
        load({"KASSA_WORKERS": text})
