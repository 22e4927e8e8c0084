"""SQL over accounts' services and the routes from them to provider accounts: one statement a function."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from kassa.accounts.model import AccountService, Backing
from kassa.accounts.services.terms import Terms
from kassa.db.pool import Executor

_SERVICE: Final = """
    a.account_service_id, a.service AS code, s.method, s.flow, s.currency, a.enabled, a.amount_min, a.amount_max,
    a.fee_rate, a.fee_fix, a.fee_min, a.fee_max, a.reserve_rate, a.reserve_lifetime, a.refund_fee_fix,
    a.charge_back_fee_fix
"""

_TERMS: Final = Terms.__struct_fields__
"""The columns that say on what terms an account has a service are the fields of ``Terms``."""


# Reading --------------------------------------------------------------------------------------------------------------


async def service(executor: Executor, *, account_id: str, code: str) -> AccountService | None:
    """Return one service as the account has it."""
    row = await executor.fetchrow(
        f"""
        SELECT {_SERVICE} FROM account_services a JOIN services s USING (service)
        WHERE a.account_id = $1 AND a.service = $2
        """,
        account_id,
        code,
    )
    return AccountService(**row) if row else None


async def service_by_id(executor: Executor, *, account_id: str, account_service_id: str) -> AccountService | None:
    """Return one service by the id that the account has it under."""
    row = await executor.fetchrow(
        f"""
        SELECT {_SERVICE} FROM account_services a JOIN services s USING (service)
        WHERE a.account_id = $1 AND a.account_service_id = $2
        """,
        account_id,
        account_service_id,
    )
    return AccountService(**row) if row else None


async def services(executor: Executor, *, account_id: str) -> list[AccountService]:
    """Return the services that the account has, on or off, by code."""
    rows = await executor.fetch(
        f"""
        SELECT {_SERVICE} FROM account_services a JOIN services s USING (service)
        WHERE a.account_id = $1
        ORDER BY a.service
        """,
        account_id,
    )
    return [AccountService(**row) for row in rows]


async def page(executor: Executor, *, account_id: str, limit: int, offset: int) -> list[AccountService]:
    """Return a stretch of the services that the account has, on or off, by code."""
    rows = await executor.fetch(
        f"""
        SELECT {_SERVICE} FROM account_services a JOIN services s USING (service)
        WHERE a.account_id = $1
        ORDER BY a.service
        LIMIT $2 OFFSET $3
        """,
        account_id,
        limit,
        offset,
    )
    return [AccountService(**row) for row in rows]


async def count(executor: Executor, *, account_id: str) -> int:
    """Return how many services the account has, on or off."""
    found: int = await executor.fetchval("SELECT count(*) FROM account_services WHERE account_id = $1", account_id)
    return found


async def backings(
    executor: Executor, *, account_id: str, codes: Sequence[str], providers: Sequence[str]
) -> dict[str, Backing]:
    """Return in which modes an account at one of the providers covers services, for those with any, by code."""
    rows = await executor.fetch(
        """
        SELECT r.service, bool_or(p.test_mode) AS test, bool_or(NOT p.test_mode) AS live
        FROM routes r JOIN provider_accounts p USING (account_id, provider_account_id)
        WHERE r.account_id = $1 AND r.service = ANY($2::text[]) AND p.archived_at IS NULL
            AND p.provider = ANY($3::text[])
        GROUP BY r.service
        """,
        account_id,
        list(codes),
        list(providers),
    )
    return {row["service"]: Backing(test=row["test"], live=row["live"]) for row in rows}


async def offered(
    executor: Executor, *, account_id: str, currency: str, test_mode: bool, providers: Sequence[str]
) -> list[AccountService]:
    """Return the services in a currency that are on, with an account at one of the providers behind in a mode."""
    rows = await executor.fetch(
        f"""
        SELECT {_SERVICE} FROM account_services a JOIN services s USING (service)
        WHERE a.account_id = $1 AND s.currency = $2 AND a.enabled AND EXISTS (
            SELECT 1 FROM routes r JOIN provider_accounts p USING (account_id, provider_account_id)
            WHERE r.account_id = a.account_id AND r.service = a.service
                AND p.test_mode = $3 AND p.archived_at IS NULL AND p.provider = ANY($4::text[]))
        ORDER BY a.service
        """,
        account_id,
        currency,
        test_mode,
        list(providers),
    )
    return [AccountService(**row) for row in rows]


async def offered_currencies(executor: Executor, *, account_id: str, test_mode: bool) -> tuple[str, ...]:
    """Return the currencies of all services that are on and have a provider account behind them in a mode."""
    rows = await executor.fetch(
        """
        SELECT DISTINCT s.currency
        FROM account_services a JOIN services s USING (service)
        WHERE a.account_id = $1 AND a.enabled AND EXISTS (
            SELECT 1 FROM routes r JOIN provider_accounts p USING (account_id, provider_account_id)
            WHERE r.account_id = a.account_id AND r.service = a.service
                AND p.test_mode = $2 AND p.archived_at IS NULL)
        """,
        account_id,
        test_mode,
    )
    return tuple(row["currency"] for row in rows)


async def catalogue_limits(executor: Executor, *, codes: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the least and the most that services of the catalogue take, in minor units, by those codes that it has."""
    rows = await executor.fetch(
        "SELECT service, amount_min, amount_max FROM services WHERE service = ANY($1::text[])", list(codes)
    )
    return {row["service"]: (row["amount_min"], row["amount_max"]) for row in rows}


# Writing --------------------------------------------------------------------------------------------------------------


async def switch_on(
    executor: Executor,
    *,
    account_id: str,
    account_service_ids: Sequence[str],
    codes: Sequence[str],
    created_at: datetime,
) -> None:
    """Give the account services of the catalogue with the catalogue's limits, or switch on those that it has."""
    await executor.execute(
        """
        INSERT INTO account_services (account_id, service, account_service_id, amount_min, amount_max, created_at)
        SELECT $1, s.service, given.account_service_id, s.amount_min, s.amount_max, $4
        FROM unnest($2::text[], $3::text[]) AS given (account_service_id, service) JOIN services s USING (service)
        ON CONFLICT (account_id, service) DO UPDATE SET enabled = true
        """,
        account_id,
        list(account_service_ids),
        list(codes),
        created_at,
    )


async def switch_off(executor: Executor, *, account_id: str, codes: Sequence[str]) -> None:
    """Switch services off."""
    await executor.execute(
        "UPDATE account_services SET enabled = false WHERE account_id = $1 AND service = ANY($2::text[])",
        account_id,
        list(codes),
    )


async def insert_routes(executor: Executor, *, account_id: str, codes: Sequence[str], provider: str) -> None:
    """Let every account of the merchant's at a provider stand behind services."""
    await executor.execute(
        """
        INSERT INTO routes (account_id, service, provider_account_id)
        SELECT p.account_id, given.service, p.provider_account_id
        FROM provider_accounts p CROSS JOIN unnest($2::text[]) AS given (service)
        WHERE p.account_id = $1 AND p.provider = $3 AND p.archived_at IS NULL
        ON CONFLICT DO NOTHING
        """,
        account_id,
        list(codes),
        provider,
    )


async def save_terms(executor: Executor, terms: Terms, *, account_id: str, code: str) -> None:
    """Write on what terms the account has a service."""
    columns = ", ".join(f"{name} = ${number}" for number, name in enumerate(_TERMS, start=3))
    await executor.execute(
        f"UPDATE account_services SET {columns} WHERE account_id = $1 AND service = $2",
        account_id,
        code,
        *msgspec.structs.astuple(terms),
    )
