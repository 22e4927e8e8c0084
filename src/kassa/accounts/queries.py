"""SQL over accounts, their keys and provider accounts: one statement a function."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from asyncpg import Record

from kassa.accounts.model import Account, AccountKey, ProviderAccount
from kassa.accounts.options import OPTIONS
from kassa.db.pool import Executor

_ACCOUNT = ", ".join(Account.__struct_fields__)
"""The columns of ``accounts`` are the fields of ``Account``, in its order."""

_PROVIDER_ACCOUNT = "p.provider_account_id, p.provider, p.test_mode, p.merchant_id, p.sealed"


# Reading --------------------------------------------------------------------------------------------------------------


async def account(executor: Executor, *, account_id: str) -> Account | None:
    """Return an account."""
    row = await executor.fetchrow(f"SELECT {_ACCOUNT} FROM accounts WHERE account_id = $1", account_id)
    return _account(row) if row else None


async def account_locked(executor: Executor, *, account_id: str) -> Account | None:
    """Return an account and hold its row until the transaction ends; what refers to it is written meanwhile."""
    row = await executor.fetchrow(
        f"SELECT {_ACCOUNT} FROM accounts WHERE account_id = $1 FOR NO KEY UPDATE", account_id
    )
    return _account(row) if row else None


async def accounts(executor: Executor) -> list[Account]:
    """Return all accounts, oldest first: for the operator, never for a merchant."""
    rows = await executor.fetch(f"SELECT {_ACCOUNT} FROM accounts ORDER BY created_at, account_id")
    return [_account(row) for row in rows]


async def payable(executor: Executor, *, providers: Sequence[str]) -> tuple[bool, bool]:
    """Return whether there is an account, and one with an account at one of these providers behind a service."""
    row = await executor.fetchrow(
        """
        SELECT EXISTS (SELECT FROM accounts WHERE archived_at IS NULL) AS has_account,
            EXISTS (
                SELECT FROM accounts a
                JOIN provider_accounts p USING (account_id) JOIN routes r USING (account_id, provider_account_id)
                WHERE a.archived_at IS NULL AND p.archived_at IS NULL AND p.provider = ANY($1)
            ) AS has_provider
        """,
        list(providers),
    )
    return (row["has_account"], row["has_provider"]) if row else (False, False)


async def account_id_by_tag(executor: Executor, *, tag: str) -> str | None:
    """Return whose tag this is."""
    found: str | None = await executor.fetchval("SELECT account_id FROM accounts WHERE tag = $1", tag)
    return found


async def public_key(executor: Executor, *, digest: bytes) -> tuple[str, bool] | None:
    """Return the account and the mode of a public key that has not been revoked."""
    row = await executor.fetchrow(
        "SELECT account_id, test_mode FROM api_keys WHERE digest = $1 AND kind = 'public' AND revoked_at IS NULL",
        digest,
    )
    return (row["account_id"], row["test_mode"]) if row else None


async def api_digests(executor: Executor, *, account_id: str) -> tuple[bytes, ...]:
    """Return the digests of the API keys that have not been revoked."""
    rows = await executor.fetch(
        "SELECT digest FROM api_keys WHERE account_id = $1 AND kind = 'api' AND revoked_at IS NULL", account_id
    )
    return tuple(row["digest"] for row in rows)


async def sealed_private_keys(executor: Executor, *, account_id: str, test_mode: bool) -> list[bytes]:
    """Return the private keys of a mode that have not been revoked, sealed, newest first."""
    rows = await executor.fetch(
        """
        SELECT sealed FROM api_keys
        WHERE account_id = $1 AND kind = 'private' AND test_mode = $2 AND revoked_at IS NULL
        ORDER BY created_at DESC, key_id
        """,
        account_id,
        test_mode,
    )
    return [row["sealed"] for row in rows]


async def keys(executor: Executor, *, account_id: str) -> list[AccountKey]:
    """Return all keys that the account has ever had, newest first."""
    rows = await executor.fetch(
        """
        SELECT key_id, kind, test_mode, hint, value, created_at, revoked_at FROM api_keys
        WHERE account_id = $1
        ORDER BY created_at DESC, kind, test_mode, key_id
        """,
        account_id,
    )
    return [AccountKey(**row) for row in rows]


async def route(
    executor: Executor, *, account_id: str, code: str, test_mode: bool, providers: Sequence[str]
) -> ProviderAccount | None:
    """Return which account at one of the providers is the first to cover a service in a mode."""
    row = await executor.fetchrow(
        f"""
        SELECT {_PROVIDER_ACCOUNT} FROM routes r JOIN provider_accounts p USING (account_id, provider_account_id)
        WHERE r.account_id = $1 AND r.service = $2 AND p.test_mode = $3 AND p.archived_at IS NULL
            AND p.provider = ANY($4::text[])
        ORDER BY r.position, r.provider_account_id
        LIMIT 1
        """,
        account_id,
        code,
        test_mode,
        list(providers),
    )
    return ProviderAccount(**row) if row else None


async def provider_account(executor: Executor, *, account_id: str, provider_account_id: str) -> ProviderAccount | None:
    """Return a provider account, also an archived one: its payments are still asked about."""
    row = await executor.fetchrow(
        f"SELECT {_PROVIDER_ACCOUNT} FROM provider_accounts p WHERE p.account_id = $1 AND p.provider_account_id = $2",
        account_id,
        provider_account_id,
    )
    return ProviderAccount(**row) if row else None


async def is_listened(executor: Executor, *, account_id: str, test_mode: bool, now: datetime) -> bool:
    """Return whether the account's callbacks of a mode are listened to at this moment."""
    found: bool = await executor.fetchval(
        """
        SELECT EXISTS (SELECT FROM callback_listeners
                       WHERE account_id = $1 AND test_mode = $2 AND leased_until > $3)
        """,
        account_id,
        test_mode,
        now,
    )
    return found


# Writing --------------------------------------------------------------------------------------------------------------


async def insert_account(executor: Executor, account: Account, *, account_id: str) -> bool:
    """Add an account; False when its id or its tag is taken."""
    values = (account_id, *msgspec.structs.astuple(account)[1:])
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    inserted = await executor.fetchval(
        f"INSERT INTO accounts ({_ACCOUNT}) VALUES ({places}) ON CONFLICT DO NOTHING RETURNING true", *values
    )
    return inserted is not None


async def save_options(executor: Executor, account: Account, *, account_id: str) -> None:
    """Write an account's options."""
    values = [getattr(account, name) for name in OPTIONS]
    columns = ", ".join(f"{name} = ${number}" for number, name in enumerate(OPTIONS, start=2))
    await executor.execute(f"UPDATE accounts SET {columns} WHERE account_id = $1", account_id, *values)


async def archive_account(executor: Executor, *, account_id: str, archived_at: datetime) -> bool:
    """Close an account; False when there is none that is open."""
    archived = await executor.fetchval(
        "UPDATE accounts SET archived_at = $2 WHERE account_id = $1 AND archived_at IS NULL RETURNING true",
        account_id,
        archived_at,
    )
    return archived is not None


async def insert_key(
    executor: Executor, key: AccountKey, *, account_id: str, digest: bytes, sealed: bytes | None
) -> None:
    """Add a key."""
    await executor.execute(
        """
        INSERT INTO api_keys (account_id, key_id, kind, test_mode, digest, hint, value, sealed, created_at, revoked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        account_id,
        key.key_id,
        key.kind,
        key.test_mode,
        digest,
        key.hint,
        key.value,
        sealed,
        key.created_at,
        key.revoked_at,
    )


async def revoke_key(executor: Executor, *, account_id: str, key_id: str, revoked_at: datetime) -> None:
    """Revoke one key."""
    await executor.execute(
        "UPDATE api_keys SET revoked_at = $3 WHERE account_id = $1 AND key_id = $2", account_id, key_id, revoked_at
    )


async def insert_provider_account(
    executor: Executor, provider_account: ProviderAccount, *, account_id: str, created_at: datetime
) -> None:
    """Add a merchant's account at a provider."""
    await executor.execute(
        """
        INSERT INTO provider_accounts
            (account_id, provider_account_id, provider, test_mode, merchant_id, sealed, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        account_id,
        *msgspec.structs.astuple(provider_account),
        created_at,
    )


def _account(row: Record) -> Account:
    return msgspec.convert(dict(row), Account)
