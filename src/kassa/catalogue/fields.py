"""Validating the values of a service's fields (contract#public-api).

The patterns come from data, so they run on RE2, which no pattern can make slow, and have to match the whole value.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import re2

from kassa.catalogue.model import Field, Service
from kassa.errors import Message

VALUE_MAX: Final = 1000
BLANK: Final = Message("This value should not be blank.")

TEST_FLOW: Final = "test"
TEST_STATUSES: Final = frozenset({"success", "pending", "fail"})
"""The values of the test service's field ``status`` (contract#test-cards). Its pattern on the wire allows more."""


def check(service: Service, given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values of the service's own fields, and what is wrong with any of them by the field's key.

    Numbers are taken as text; members that are not fields of the service are left out.
    """
    values: dict[str, str] = {}
    errors: dict[str, str] = {}
    for field in service.fields:
        value = _text(given.get(field.key))
        if value is None:
            errors[field.key] = Message("This value should be of type string.")
        elif not value:
            if field.required:
                errors[field.key] = BLANK
        elif len(value) > VALUE_MAX:
            errors[field.key] = Message(
                "This value is too long. It should have %(most)s characters or less.", most=VALUE_MAX
            )
        elif not matches(field, value):
            errors[field.key] = Message("This value is not valid.")
        elif service.flow == TEST_FLOW and field.key == "status" and value not in TEST_STATUSES:
            errors[field.key] = Message("The value you selected is not a valid choice.")
        else:
            values[field.key] = value
    return values, errors


def matches(field: Field, value: str) -> bool:
    """Return whether the whole value matches the field's pattern."""
    try:
        return not field.regexp or pattern(field.regexp).fullmatch(value) is not None
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


@lru_cache(maxsize=4096)
def pattern(regexp: str) -> Any:
    """Return a compiled pattern. Raises ``re2.error`` for one that RE2 cannot run, such as one with look-ahead."""
    options = re2.Options()
    options.log_errors = False  # callers report errors; the library would write them to standard error
    return re2.compile(regexp, options)


def _text(value: object) -> str | None:
    """Return a value as text, empty where it is absent, or None where it has another type."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)
