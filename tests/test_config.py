from pathlib import Path

import msgspec
import pytest

from kassa import config
from kassa.config import Settings
from kassa.errors import SettingsWrong

PASSWORD = "hunter2"
ADDRESS = "postgresql://user:password@host:5432/database"
UNREADABLE = (
    f"KASSA_DATABASE_URL: the address cannot be read. It should be {ADDRESS}, "
    "with / ? # @ : in the password percent-encoded, as in %2F."
)


def test_a_provider_has_twenty_seconds_and_is_asked_fifty_times_a_second_unless_less_is_set() -> None:
    usual = config.load({})
    assert (usual.provider_seconds, usual.provider_questions_per_second) == (20.0, 50)
    changed = config.load({"KASSA_PROVIDER_SECONDS": "0.5", "KASSA_PROVIDER_QUESTIONS_PER_SECOND": "10"})
    assert (changed.provider_seconds, changed.provider_questions_per_second) == (0.5, 10)


@pytest.mark.parametrize(
    "name, text, taken",
    [
        ("KASSA_PROVIDER_SECONDS", "0", "a number above 0 and up to 20"),
        ("KASSA_PROVIDER_SECONDS", "20.5", "a number above 0 and up to 20"),
        ("KASSA_PROVIDER_SECONDS", "soon", "a number above 0 and up to 20"),
        ("KASSA_PROVIDER_QUESTIONS_PER_SECOND", "9", "a whole number from 10 to 10000"),
        ("KASSA_PROVIDER_QUESTIONS_PER_SECOND", "10001", "a whole number from 10 to 10000"),
        ("KASSA_PORT", "abc", "a whole number from 0 to 65535"),
        ("KASSA_PORT", "-5", "a whole number from 0 to 65535"),
        ("KASSA_PORT", "65536", "a whole number from 0 to 65535"),
        ("KASSA_GATE_PORT", "65536", "a whole number from 0 to 65535"),
        ("KASSA_BANK_PORT", "65536", "a whole number from 0 to 65535"),
        ("KASSA_HEALTH_PORT", "65536", "a whole number from 0 to 65535"),
        ("KASSA_DATABASE_PORT", "65536", "a whole number from 0 to 65535"),
        ("KASSA_RATES_ECB_DAYS", "0", "a whole number of 1 or more"),
        ("KASSA_CONNECTIONS", "many", "a whole number"),
        ("KASSA_DEMO", "maybe", "true or false"),
        ("KASSA_LOG_LEVEL", "verbose", "one of critical, debug, error, info, warning"),
        ("KASSA_BASE_URL", "pay.example.com", "an http or https address"),
        ("KASSA_GATE_URL", "http://", "an http or https address"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_by_the_name_of_its_variable(name: str, text: str, taken: str) -> None:
    with pytest.raises(SettingsWrong) as refused:
        config.load({name: text})
    assert refused.value.detail == f"{name}: {text!r} is not {taken}."


def test_a_value_that_came_from_an_option_is_refused_by_the_name_of_the_option() -> None:
    with pytest.raises(SettingsWrong) as refused:
        config.load({"KASSA_PORT": "8000"}, port="70000")
    assert refused.value.detail == "--port: '70000' is not a whole number from 0 to 65535."


def test_the_level_of_the_log_may_be_written_in_any_case() -> None:
    assert config.load({"KASSA_LOG_LEVEL": "WARNING"}).log_level == "warning"


@pytest.mark.parametrize(
    "url, message",
    [
        (f"mysql://kassa:{PASSWORD}@db/kassa", f"mysql:// is not an address of PostgreSQL, which is {ADDRESS}."),
        ("postgres:/bad", UNREADABLE.removeprefix("KASSA_DATABASE_URL: ")),
        (f"postgresql://kassa:1/{PASSWORD}@db/kassa", UNREADABLE.removeprefix("KASSA_DATABASE_URL: ")),
        (f"postgresql://kassa:1?{PASSWORD}@db/kassa", UNREADABLE.removeprefix("KASSA_DATABASE_URL: ")),
        (f"postgresql://kassa:1#{PASSWORD}@db/kassa", UNREADABLE.removeprefix("KASSA_DATABASE_URL: ")),
        (f"postgresql://kassa:{PASSWORD}@db:65536/kassa", UNREADABLE.removeprefix("KASSA_DATABASE_URL: ")),
        (f"postgresql://kassa:{PASSWORD}@[db/kassa", UNREADABLE.removeprefix("KASSA_DATABASE_URL: ")),
    ],
)
def test_an_address_that_is_no_postgresql_is_refused_without_its_password(url: str, message: str) -> None:
    with pytest.raises(SettingsWrong) as refused:
        config.load({"KASSA_DATABASE_URL": url})
    assert refused.value.detail == f"KASSA_DATABASE_URL: {message}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://kassa:p%2Fw@db:5432/kassa",
        "postgres://one,two:5433/kassa?sslmode=require",
        "postgresql://[::1]:5432/kassa",
        "postgresql:///kassa?host=/run/postgresql&user=me@here",
    ],
)
def test_every_form_of_a_postgresql_address_is_taken(url: str) -> None:
    assert config.load({"KASSA_DATABASE_URL": url}).database_url == url


def test_what_a_file_holds_is_never_quoted(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(f"{PASSWORD}\n")
    with pytest.raises(SettingsWrong) as refused:
        config.load({"KASSA_PORT_FILE": str(kept)})
    assert refused.value.detail == "KASSA_PORT_FILE: its text is not a whole number from 0 to 65535."
    kept.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsWrong, match=r"KASSA_SECRET_KEY_FILE: the file .* is not text"):
        config.load({"KASSA_SECRET_KEY_FILE": str(kept)})
    with pytest.raises(SettingsWrong, match=r"KASSA_SECRET_KEY_FILE: the file .* cannot be read: No such file"):
        config.load({"KASSA_SECRET_KEY_FILE": str(tmp_path / "none")})


def test_a_variable_that_is_no_setting_is_named_with_the_nearest_that_is() -> None:
    environ = {
        "KASSA_PORTT": "1",
        "KASSA_QQQQ": "1",
        "KASSA_ACCOUNT": "coma_1",
        "KASSA_SECRET_KEY_FILE": "k",
        "HOME": "/",
    }
    assert config.unknown(environ) == [
        "KASSA_PORTT is not a setting; did you mean KASSA_PORT?",
        "KASSA_QQQQ is not a setting.",
    ]


def test_every_setting_can_be_given_by_its_variable() -> None:
    for field in msgspec.structs.fields(Settings):
        default = getattr(config.load({}), field.name)
        text = str(default) if default is not None else "1"
        if field.name.endswith("_url"):
            text = "postgresql://db/kassa" if field.name == "database_url" else "https://pay.example.com"
        assert config.unknown({f"KASSA_{field.name.upper()}": text}) == []
        config.load({f"KASSA_{field.name.upper()}": text})
