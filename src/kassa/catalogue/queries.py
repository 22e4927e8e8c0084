"""SQL over the catalogue: one statement a function. It is reference data, the same for every account."""

from collections.abc import Sequence
from typing import Final

import msgspec
from asyncpg import Record

from kassa.catalogue.model import Currency, Field, Method, Saved, Service
from kassa.db.pool import Executor

_METHOD: Final = "m.method AS code, m.category, m.description, m.name, m.logo, m.icon, m.metadata, m.position, m.hide"
_SERVICE: Final = "s.service AS code, s.method, s.flow, s.currency, s.fields, s.amount_min, s.amount_max"

_names: Final = msgspec.json.Decoder(dict[str, str])
_fields: Final = msgspec.json.Decoder(tuple[Field, ...])


# Reading --------------------------------------------------------------------------------------------------------------


async def method(executor: Executor, *, code: str) -> Method | None:
    """Return a method."""
    row = await executor.fetchrow(f"SELECT {_METHOD} FROM methods m WHERE m.method = $1", code)
    return _method(row) if row else None


async def service(executor: Executor, *, code: str) -> Service | None:
    """Return a service."""
    row = await executor.fetchrow(f"SELECT {_SERVICE} FROM services s WHERE s.service = $1", code)
    return _service(row) if row else None


async def services_in(executor: Executor, *, currency: str) -> dict[str, Service]:
    """Return the services in a currency, by code."""
    rows = await executor.fetch(f"SELECT {_SERVICE} FROM services s WHERE s.currency = $1 ORDER BY s.service", currency)
    return {row["code"]: _service(row) for row in rows}


async def methods_in(executor: Executor, *, currency: str) -> dict[str, Method]:
    """Return the methods that have a service in a currency, by code."""
    rows = await executor.fetch(
        f"""
        SELECT {_METHOD} FROM methods m
        WHERE m.method IN (SELECT s.method FROM services s WHERE s.currency = $1)
        ORDER BY m.method
        """,
        currency,
    )
    return {row["code"]: _method(row) for row in rows}


async def service_codes(executor: Executor) -> list[str]:
    """Return the codes of all services."""
    rows = await executor.fetch("SELECT service FROM services ORDER BY service")
    return [row["service"] for row in rows]


async def service_codes_by(executor: Executor, *, method: str, currency: str, flow: str | None) -> list[str]:
    """Return the codes of a method's services in a currency, by one flow or by any."""
    rows = await executor.fetch(
        """
        SELECT service FROM services
        WHERE method = $1 AND currency = $2 AND flow = coalesce($3, flow)
        ORDER BY service
        """,
        method,
        currency,
        flow,
    )
    return [row["service"] for row in rows]


async def service_kinds(executor: Executor) -> dict[str, tuple[str, str, str]]:
    """Return every service's method, flow and currency, by its code."""
    rows = await executor.fetch("SELECT service, method, flow, currency FROM services")
    return {row["service"]: (row["method"], row["flow"], row["currency"]) for row in rows}


async def method_codes(executor: Executor) -> set[str]:
    """Return the codes of all methods."""
    return {row["method"] for row in await executor.fetch("SELECT method FROM methods")}


async def exponents(executor: Executor) -> dict[str, int]:
    """Return how many decimals each currency of the catalogue has."""
    return {
        row["currency"]: row["exponent"] for row in await executor.fetch("SELECT currency, exponent FROM currencies")
    }


# Writing --------------------------------------------------------------------------------------------------------------


async def save_currencies(executor: Executor, currencies: Sequence[Currency]) -> Saved:
    """Add currencies, or bring their names to what is given; an exponent that is there stays."""
    rows = await executor.fetch(
        """
        INSERT INTO currencies AS kept (currency, exponent, name, type)
        SELECT given.currency, given.exponent, given.name::json, given.type
        FROM unnest($1::text[], $2::smallint[], $3::text[], $4::text[]) AS given (currency, exponent, name, type)
        ON CONFLICT (currency) DO UPDATE SET name = excluded.name, type = excluded.type
        WHERE (kept.name::text, kept.type) IS DISTINCT FROM (excluded.name::text, excluded.type)
        RETURNING currency AS code, xmax = 0 AS inserted
        """,
        *_columns([(each.code, each.exponent, _json(each.name), each.type) for each in currencies], width=4),
    )
    return _saved(rows)


async def save_methods(executor: Executor, methods: Sequence[Method]) -> Saved:
    """Add methods, or bring them to what is given; rows that are so already are not written."""
    rows = await executor.fetch(
        """
        INSERT INTO methods AS kept (method, category, description, name, logo, icon, metadata, position, hide)
        SELECT given.method, given.category, given.description, given.name::json, given.logo, given.icon,
            given.metadata::json, given.position, given.hide
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[],
            $9::boolean[])
            AS given (method, category, description, name, logo, icon, metadata, position, hide)
        ON CONFLICT (method) DO UPDATE SET
            category = excluded.category, description = excluded.description, name = excluded.name,
            logo = excluded.logo, icon = excluded.icon, metadata = excluded.metadata,
            position = excluded.position, hide = excluded.hide
        WHERE (kept.category, kept.description, kept.name::text, kept.logo, kept.icon, kept.metadata::text,
               kept.position, kept.hide)
            IS DISTINCT FROM (excluded.category, excluded.description, excluded.name::text, excluded.logo,
                excluded.icon, excluded.metadata::text, excluded.position, excluded.hide)
        RETURNING method AS code, xmax = 0 AS inserted
        """,
        *_columns([_method_values(each) for each in methods], width=9),
    )
    return _saved(rows)


async def save_services(executor: Executor, services: Sequence[Service]) -> Saved:
    """Add services, or bring them to what is given; rows that are so already are not written."""
    rows = await executor.fetch(
        """
        INSERT INTO services AS kept (service, method, flow, currency, fields, amount_min, amount_max)
        SELECT given.service, given.method, given.flow, given.currency, given.fields::json, given.amount_min,
            given.amount_max
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
            AS given (service, method, flow, currency, fields, amount_min, amount_max)
        ON CONFLICT (service) DO UPDATE SET
            method = excluded.method, flow = excluded.flow, currency = excluded.currency, fields = excluded.fields,
            amount_min = excluded.amount_min, amount_max = excluded.amount_max
        WHERE (kept.method, kept.flow, kept.currency, kept.fields::text, kept.amount_min, kept.amount_max)
            IS DISTINCT FROM (excluded.method, excluded.flow, excluded.currency, excluded.fields::text,
                excluded.amount_min, excluded.amount_max)
        RETURNING service AS code, xmax = 0 AS inserted
        """,
        *_columns([_service_values(each) for each in services], width=7),
    )
    return _saved(rows)


def _method(row: Record) -> Method:
    metadata = None if row["metadata"] is None else msgspec.json.decode(row["metadata"])
    return Method(**{**row, "name": _names.decode(row["name"]), "metadata": metadata})


def _service(row: Record) -> Service:
    return Service(**{**row, "fields": _fields.decode(row["fields"])})


def _method_values(method: Method) -> tuple[object, ...]:
    return (
        method.code,
        method.category,
        method.description,
        _json(method.name),
        method.logo,
        method.icon,
        None if method.metadata is None else _json(method.metadata),
        method.position,
        method.hide,
    )


def _service_values(service: Service) -> tuple[object, ...]:
    return (
        service.code,
        service.method,
        service.flow,
        service.currency,
        _json(service.fields),
        service.amount_min,
        service.amount_max,
    )


def _columns(rows: Sequence[Sequence[object]], *, width: int) -> list[list[object]]:
    """Return rows as the arrays of their columns."""
    return [[row[position] for row in rows] for position in range(width)]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _saved(rows: Sequence[Record]) -> Saved:
    return Saved(
        new=frozenset(row["code"] for row in rows if row["inserted"]),
        changed=frozenset(row["code"] for row in rows if not row["inserted"]),
    )
