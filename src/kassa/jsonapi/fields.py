"""Reading an object's members into a struct, collecting all that is wrong with them (contract#errors).

Such a struct declares its members by type and limits, each with None for a member that is absent, null or refused,
and the names of required members in a class variable ``REQUIRED``.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from kassa.errors import Message
from kassa.numbers import Number
from kassa.values import Value

NUMBER: Final = r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?"
"""A number that is written as text, as a regular expression."""
_NUMBER: Final = re.compile(NUMBER, re.ASCII)
BLANK: Final = Message("This value should not be blank.")


R = TypeVar("R", bound=Value)


class _Member(Value, frozen=True, kw_only=True):
    name: str
    wire_name: str
    type: Any
    nested: Any
    """The struct that the member is made of, or None."""
    kinds: frozenset[type]
    """The types that the member may have: classes of ``msgspec.inspect``."""


@lru_cache(maxsize=64)
def _members(cls: type[Value]) -> tuple[_Member, ...]:
    return tuple(_member(field) for field in msgspec.structs.fields(cls))


def _member(field: msgspec.structs.FieldInfo) -> _Member:
    info = inspect.type_info(field.type)
    options = info.types if isinstance(info, inspect.UnionType) else (info,)
    nested = next((option.cls for option in options if isinstance(option, inspect.StructType)), None)
    return _Member(
        name=field.name,
        wire_name=field.encode_name,
        type=field.type,
        nested=nested,
        kinds=frozenset(type(option) for option in options),
    )


def required(cls: type[msgspec.Struct]) -> frozenset[str]:
    """Return the names of the required members."""
    names: frozenset[str] = getattr(cls, "REQUIRED", frozenset())
    return names


def read(cls: type[R], data: Mapping[str, Any], errors: dict[str, str], prefix: str = "") -> R:
    """Return the members of ``data`` that ``cls`` knows; what is wrong is added to ``errors`` by dotted name.

    Members that are in ``errors`` already are not validated again.
    """
    values: dict[str, Any] = {}
    for member in _members(cls):
        value = data.get(member.wire_name)
        if value == [] and member.nested is not None:
            value = None  # PHP clients write an empty map like this.
        name = f"{prefix}{member.wire_name}"
        if value is None:
            if member.wire_name in required(cls):
                errors[name] = BLANK
        elif name in errors:
            continue
        elif member.nested is None:
            values[member.name] = _convert(value, member, name, errors)
        elif isinstance(value, Mapping):
            values[member.name] = read(member.nested, value, errors, f"{name}.")
        else:
            errors[name] = Message("This value should be an object.")
    return cls(**values)


def _convert(value: object, member: _Member, name: str, errors: dict[str, str]) -> object:
    if inspect.DecimalType in member.kinds and isinstance(value, str) and not _NUMBER.fullmatch(value):
        errors[name] = Message("This value should be a number.")
        return None
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and member.kinds <= _TEXT:
        value = str(value)
    elif isinstance(value, Number):
        value = Decimal(value)
    if value == [] and inspect.DictType in member.kinds:
        value = {}
    try:
        return msgspec.convert(value, member.type)
    except msgspec.ValidationError as error:
        errors[name] = _message(str(error))
        return None


_TEXT: Final = frozenset({inspect.StrType, inspect.NoneType})
_TYPES: Final = {
    "str": Message("This value should be of type string."),
    "int": Message("This value should be of type integer."),
    "bool": Message("This value should be of type boolean."),
    "object": Message("This value should be of type object."),
    "decimal": Message("This value should be of type number."),
}


def _message(text: str) -> Message:
    """Return msgspec's message as this API family phrases it."""
    if match := re.match(r"Expected `(?:str|array|object)` of length >= (\d+)", text):
        if match[1] == "1":
            return BLANK
        return Message("This value is too short. It should have %(least)s characters or more.", least=match[1])
    if match := re.match(r"Expected `str` of length <= (\d+)", text):
        return Message("This value is too long. It should have %(most)s characters or less.", most=match[1])
    if match := re.match(r"Invalid enum value (.+?)(?: - at .*)?$", text):
        return Message("The value %(value)s is not a valid choice.", value=match[1])
    match = re.match(r"Expected `([a-z]+)(?: \| null)?`, got", text)
    return (_TYPES.get(match[1]) if match else None) or Message("This value is not valid.")
