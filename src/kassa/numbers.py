"""Numbers that others write in JSON and get back as they wrote them."""

import math
import re
from decimal import Decimal
from typing import Final, Self

import msgspec


class Number(Decimal):
    """A number of a JSON text, which is written back as it was: ``1e5`` is not ``100000``, nor ``-0`` 0."""

    __slots__ = ("_text",)
    _text: str

    def __new__(cls, text: str) -> Self:
        """Read a number; one that a double cannot hold is read as infinite."""
        number = super().__new__(cls, text if _is_double(text) else "Infinity")
        number._text = text
        return number

    def __str__(self) -> str:
        """Return the text that was read."""
        return self._text


def encode(value: object) -> str:
    """Return what was read from JSON as JSON text, its numbers as they were written."""
    return _encoder.encode(value).decode()


def _is_double(text: str) -> bool:
    number = float(text)
    return math.isfinite(number) and (number != 0 or not _NOT_ZERO.match(text))


def _as_written(value: object) -> msgspec.Raw:
    if isinstance(value, Number):
        return msgspec.Raw(str(value).encode())
    raise NotImplementedError


_NOT_ZERO: Final = re.compile(r"-?[0.]*[1-9]")
_encoder: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_as_written)
