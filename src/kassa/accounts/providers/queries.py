"""SQL over a merchant's accounts at providers: one statement a function."""

from collections.abc import Sequence
from datetime import datetime

from kassa.accounts.model import ListedProviderAccount
from kassa.db.pool import Executor


async def listed(executor: Executor, *, account_id: str) -> list[ListedProviderAccount]:
    """Return all accounts at providers that the account has ever had, oldest first, without their secrets."""
    rows = await executor.fetch(
        """
        SELECT p.provider_account_id, p.provider, p.test_mode, p.merchant_id, p.archived_at,
            array_remove(array_agg(r.service ORDER BY r.service), NULL) AS services
        FROM provider_accounts p LEFT JOIN routes r USING (account_id, provider_account_id)
        WHERE p.account_id = $1
        GROUP BY p.account_id, p.provider_account_id
        ORDER BY p.created_at, p.provider_account_id
        """,
        account_id,
    )
    return [ListedProviderAccount(**row) for row in rows]


async def save_secrets(executor: Executor, *, account_id: str, provider_account_id: str, sealed: bytes) -> None:
    """Write a provider account's secrets."""
    await executor.execute(
        "UPDATE provider_accounts SET sealed = $3 WHERE account_id = $1 AND provider_account_id = $2",
        account_id,
        provider_account_id,
        sealed,
    )


async def stand_behind(executor: Executor, *, account_id: str, provider_account_id: str, codes: Sequence[str]) -> None:
    """Let a provider account stand behind services of the account's, after those that stand there already."""
    await executor.execute(
        """
        INSERT INTO routes (account_id, service, provider_account_id, position)
        SELECT $1, given.service, $2,
            (SELECT coalesce(max(r.position) + 1, 0) FROM routes r
             WHERE r.account_id = $1 AND r.service = given.service)
        FROM unnest($3::text[]) AS given (service)
        ON CONFLICT DO NOTHING
        """,
        account_id,
        provider_account_id,
        list(codes),
    )


async def archive(executor: Executor, *, account_id: str, provider_account_id: str, archived_at: datetime) -> bool:
    """Let a provider account take nothing new; False when there is none that does."""
    archived = await executor.fetchval(
        """
        UPDATE provider_accounts SET archived_at = $3
        WHERE account_id = $1 AND provider_account_id = $2 AND archived_at IS NULL
        RETURNING true
        """,
        account_id,
        provider_account_id,
        archived_at,
    )
    return archived is not None
