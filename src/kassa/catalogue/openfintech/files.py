"""Reading OpenFintech's files, row by row: an invalid row is refused by its name, and the others are read."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from kassa import money
from kassa.errors import CatalogueUnreadable
from kassa.values import Value

Code = Annotated[str, Meta(pattern="^[a-z0-9_]{1,100}$")]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z0-9]{2,20}$")]
Word = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,100}$")]
Text = Annotated[str, Meta(max_length=5000)]
Texts = Annotated[dict[str, Annotated[str, Meta(max_length=500)]], Meta(max_length=50)]

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_NAME_LENGTH_MAX: Final = 100


class CurrencyRow(Value, frozen=True, kw_only=True):
    """A currency, as ``currencies.json`` has it."""

    code: CurrencyCode
    name: Texts
    type: Word
    exponent: Annotated[int, Meta(ge=0, le=money.EXPONENT_MAX)]


class MethodRow(Value, frozen=True, kw_only=True):
    """A method, as ``payment_methods.json`` has it."""

    code: Code
    name: Texts
    category: Word
    description: dict[str, Text] = {}  # noqa: RUF012 - msgspec copies it
    status: str = "active"


class FieldRow(Value, frozen=True, kw_only=True):
    """A field of a service."""

    key: Word
    type: Word
    label: Texts
    hint: Texts
    example: Annotated[str, Meta(max_length=500)] | None = None
    regexp: Annotated[str, Meta(max_length=1000)] = ""
    required: bool
    position: Annotated[int, Meta(ge=0, le=1000)]


class ServiceRow(Value, frozen=True, kw_only=True):
    """A service, as ``payment_services.json`` has it; amounts are decimals in its currency."""

    code: Code
    method: Code
    flow: Code
    currency: CurrencyCode
    fields: Annotated[list[FieldRow], Meta(max_length=100)] = []  # noqa: RUF012 - msgspec copies it
    amount_min: Decimal
    amount_max: Decimal
    status: str = "active"


class Refusal(Value, frozen=True, kw_only=True):
    """A row that is not taken, or something of it, and why."""

    name: str
    """The row's kind and code, or its place in the file where it has none."""
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


R = TypeVar("R", CurrencyRow, MethodRow, ServiceRow)


class Rows(Value, Generic[R], frozen=True, kw_only=True):
    """What a file holds."""

    good: list[R]
    refused: list[Refusal]


class Files(Value, frozen=True, kw_only=True):
    """All that is imported of a folder."""

    currencies: Rows[CurrencyRow]
    methods: Rows[MethodRow]
    services: Rows[ServiceRow]


def read(folder: Path) -> Files:
    """Read a copy of OpenFintech's data. Raises ``CatalogueUnreadable`` where a file is missing or is no list."""
    return Files(
        currencies=_rows(folder / "currencies.json", CurrencyRow, "currency"),
        methods=_rows(folder / "payment_methods.json", MethodRow, "method"),
        services=_rows(folder / "payment_services.json", ServiceRow, "service"),
    )


def _rows(path: Path, shape: type[R], kind: str) -> Rows[R]:
    good: dict[str, R] = {}
    refused: list[Refusal] = []
    for number, raw in enumerate(_raw_rows(path), start=1):
        try:
            row = msgspec.json.decode(raw, type=shape)
        except msgspec.DecodeError as error:
            refused.append(Refusal(name=f"{kind} {_name(raw, number)}", reason=_lower(str(error))))
            continue
        if row.code in good:
            refused.append(Refusal(name=f"{kind} {row.code}", reason="the file has it twice; the first one counts"))
        elif any(_CONTROLS.search(text) for text in _texts(msgspec.to_builtins(row))):
            refused.append(Refusal(name=f"{kind} {row.code}", reason="it holds control characters"))
        else:
            good[row.code] = row
    return Rows(good=[good[code] for code in sorted(good)], refused=refused)


def _raw_rows(path: Path) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=list[msgspec.Raw])
    except OSError as error:
        raise CatalogueUnreadable(f"{path} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise CatalogueUnreadable(f"{path} is not a list in JSON: {_lower(str(error))}.") from None


def _name(raw: msgspec.Raw, number: int) -> str:
    """Return how to call a row that cannot be read."""
    try:
        row = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        row = None
    code = row.get("code") if isinstance(row, dict) else None
    if isinstance(code, str) and code.isprintable() and 0 < len(code) <= _NAME_LENGTH_MAX:
        return code
    return f"number {number}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)


def _lower(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
