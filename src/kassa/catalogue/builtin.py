"""The built-in methods and services, from ``builtin.json``, whose amounts are decimals in their currency."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib import resources

import msgspec

from kassa import money
from kassa.catalogue.model import Field, Method, Service, icon_path, logo_path
from kassa.values import Value


class _MethodRow(Value, frozen=True, kw_only=True):
    code: str
    category: str
    description: str
    name: Mapping[str, str]


class _ServiceRow(Value, frozen=True, kw_only=True):
    """One service in each of the currencies; their codes are ``{method}_{currency}_{flow}``, in lower case."""

    method: str
    flow: str
    currencies: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    amount_min: Decimal
    amount_max: Decimal


class _File(Value, frozen=True, kw_only=True):
    methods: tuple[_MethodRow, ...]
    services: tuple[_ServiceRow, ...]


@cache
def read() -> tuple[Sequence[Method], Sequence[Service]]:
    """Return the built-in methods and services, services sorted by code."""
    text = resources.files("kassa.catalogue").joinpath("builtin.json").read_bytes()
    found = msgspec.json.decode(text, type=_File)
    services = [service for row in found.services for service in _services(row)]
    return [_method(row) for row in found.methods], sorted(services, key=lambda service: service.code)


@cache
def pictures() -> Mapping[str, bytes]:
    """Return the methods' pictures, SVG of our own drawing, by the path that ``Method.logo`` or ``icon`` names."""
    folder = resources.files("kassa.catalogue").joinpath("pictures")
    return {
        f"/static/methods/{method.name}/{picture.name}": picture.read_bytes()
        for method in folder.iterdir()
        for picture in method.iterdir()
    }


def _method(row: _MethodRow) -> Method:
    return Method(
        code=row.code,
        category=row.category,
        description=row.description,
        name=row.name,
        logo=logo_path(row.code),
        icon=icon_path(row.code),
    )


def _services(row: _ServiceRow) -> Iterator[Service]:
    for currency in row.currencies:
        yield Service(
            code=f"{row.method}_{currency}_{row.flow}".lower(),
            method=row.method,
            flow=row.flow,
            currency=currency,
            fields=row.fields,
            amount_min=money.to_minor(row.amount_min, currency),
            amount_max=money.to_minor(row.amount_max, currency),
        )
