"""OpenFintech's patterns, cleaned: what they mean is kept, what makes no sense or cannot be run is dropped."""

import pytest

from kassa.catalogue import fields
from kassa.catalogue.openfintech.patterns import PatternDropped, cleaned


@pytest.mark.parametrize(
    "given,then",
    [
        ("", ""),
        (".*", ".*"),
        ("/^[0-9]{10,14}$/", "^[0-9]{10,14}$"),
        ("/^.{2,70}$/u", "^.{2,70}$"),
        ("/^[-\\s\\p{L}]{2,100}$/u", "^[-\\s\\p{L}]{2,100}$"),
        ("/^[a-zA-Z0-9 \\/_.,'-]{1,200}$/", "^[a-zA-Z0-9 /_.,'-]{1,200}$"),
        ("/^abc$/i", "(?i)^abc$"),
        ("/^a.c$/siu", "(?is)^a.c$"),
        ("/^[{}]{2}[]{}]$/", "^[{}]{2}[]{}]$"),
        ("/^\\{10-14\\}\\x{41}$/", "^\\{10-14\\}\\x{41}$"),
        ("/^([a-z]+\\.)*[a-z]{2,6}$$/", "^([a-z]+\\.)*[a-z]{2,6}$$"),
        ("/etc", "/etc"),
    ],
)
def test_delimiters_and_flags_go_and_the_meaning_stays(given: str, then: str) -> None:
    assert cleaned(given) == then


@pytest.mark.parametrize(
    "given,reason",
    [
        ("/^[0-9]{10-14}$/", "{10-14} is no quantifier"),
        ("/^[0-9]{,3}$/", "{,3} is no quantifier"),
        ("/^[0-9]{$/", "{$ is no quantifier"),
        ("/^(?=.*\\d).{8,}$/", "invalid perl operator"),
        ("/^(a)\\1$/", "invalid escape sequence"),
        ("/^(a$/", "missing )"),
        ("/^[0-9]{5000}$/", "repetition"),
        ("/^a # comment$/x", "we do not know the flag 'x'"),
    ],
)
def test_what_makes_no_sense_or_cannot_be_run_is_dropped(given: str, reason: str) -> None:
    with pytest.raises(PatternDropped) as refused:
        cleaned(given)
    assert reason in str(refused.value)


def test_a_cleaned_pattern_is_of_characters_and_of_the_whole_value() -> None:
    pattern = fields.pattern(cleaned("/^(\\d{8})|(\\d{6}-[0-9A-Za-zа-я]{4})$/u"))
    assert [bool(pattern.fullmatch(text)) for text in ("12345678", "123456-абвг", "123456789", "x123456-абвг")] == [
        True,
        True,
        False,
        False,
    ]
