import pytest

from kassa import config
from kassa.errors import SettingsWrong


def test_a_provider_has_twenty_seconds_and_is_asked_fifty_times_a_second_unless_less_is_set() -> None:
    usual = config.load({})
    assert (usual.provider_seconds, usual.provider_questions_per_second) == (20.0, 50)
    changed = config.load({"KASSA_PROVIDER_SECONDS": "0.5", "KASSA_PROVIDER_QUESTIONS_PER_SECOND": "10"})
    assert (changed.provider_seconds, changed.provider_questions_per_second) == (0.5, 10)


@pytest.mark.parametrize(
    "name, text",
    [
        ("KASSA_PROVIDER_SECONDS", "0"),
        ("KASSA_PROVIDER_SECONDS", "20.5"),
        ("KASSA_PROVIDER_SECONDS", "soon"),
        ("KASSA_PROVIDER_QUESTIONS_PER_SECOND", "9"),
        ("KASSA_PROVIDER_QUESTIONS_PER_SECOND", "10001"),
    ],
)
def test_a_limit_out_of_bounds_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsWrong, match="cannot be read"):
        config.load({name: text})
