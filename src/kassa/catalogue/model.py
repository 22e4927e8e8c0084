"""The catalogue's currencies, payment methods and services (contract#public-api)."""

from collections.abc import Mapping
from typing import Any

from kassa.values import Value


class Currency(Value, frozen=True, kw_only=True):
    """A currency that ISO 4217 does not list."""

    code: str
    exponent: int
    """How many decimals it has; never changes, because amounts are kept in minor units."""
    name: Mapping[str, str]
    """By language: ``en``, ``ru``, ``uk``."""
    type: str
    """``crypto``, ``digital``, ``national`` …: for information."""


class Method(Value, frozen=True, kw_only=True):
    """A payment method, as the payer sees it. The members are the contract's, in its order."""

    code: str
    category: str
    description: str = ""
    name: Mapping[str, str]
    """By language: ``en``, ``ru``, ``uk``."""
    logo: str
    """A path below our base URL: a wide picture."""
    icon: str
    """A path below our base URL: a square picture."""
    metadata: Any = None
    position: int | None = None
    hide: bool | None = None
    """Whether the payer cannot choose it any more."""


class Field(Value, frozen=True, kw_only=True):
    """A value that a service needs from the payer."""

    key: str
    type: str
    label: Mapping[str, str]
    example: str | None = None
    hint: Mapping[str, str]
    regexp: str
    """Must match the whole value; empty where any text will do."""
    required: bool
    position: int


class Service(Value, frozen=True, kw_only=True):
    """A method in one currency by one flow. Amounts are minor units of ``currency``."""

    code: str
    method: str
    flow: str
    """How the payer pays: ``hpp`` on a hosted page, ``test`` without one."""
    currency: str
    fields: tuple[Field, ...] = ()
    amount_min: int
    amount_max: int


class Listing(Value, frozen=True, kw_only=True):
    """All services in one currency and their methods, by code."""

    services: Mapping[str, Service]
    methods: Mapping[str, Method]


class Saved(Value, frozen=True, kw_only=True):
    """The result of a write, by the rows' codes; rows that did not change are in neither."""

    new: frozenset[str]
    changed: frozenset[str]


def logo_path(method: str) -> str:
    """Return where we serve a method's wide picture: a path below the base URL of the settings."""
    return f"/static/methods/{method}/logo.svg"


def icon_path(method: str) -> str:
    """Return where we serve a method's square picture."""
    return f"/static/methods/{method}/icon.svg"
