"""What changes a merchant's accounts at providers; it takes effect within a second (``directory.KEPT_SECONDS``)."""

from collections.abc import Mapping, Sequence
from typing import Final

from kassa import ids
from kassa.accounts import queries as accounts
from kassa.accounts import sealed
from kassa.accounts.model import ListedProviderAccount, ProviderAccount
from kassa.accounts.providers import queries
from kassa.accounts.services import queries as services_queries
from kassa.accounts.services.operations import TEST_PROVIDER, refuse_unknown
from kassa.clock import Clock
from kassa.db.pool import Executor, Pool, transaction, unit_of_work
from kassa.errors import Invalid, NotFound
from kassa.sealing import Root

_LENGTH_MAX: Final = 255


@unit_of_work
async def add(
    pool: Pool,
    root: Root,
    clock: Clock,
    account_id: str,
    *,
    provider: str,
    merchant_id: str,
    test_mode: bool,
    secrets: Mapping[str, str],
    codes: Sequence[str] = (),
) -> ListedProviderAccount:
    """Put the merchant's account at a provider behind services: these, or all that the account has.

    Where several stand behind a service in a mode, the first that came takes its payments. What is there already, by
    provider, merchant id and mode, gets the services besides, and the secrets in place of its own if there are any.
    Raises ``NotFound`` without such an account, ``Invalid`` for values and services that cannot be.
    """
    _check(provider, merchant_id, secrets, test_mode=test_mode)
    async with transaction(pool) as connection:
        account = await accounts.account_locked(connection, account_id=account_id)
        if account is None:
            raise NotFound("There is no such account.")
        owned = [each.code for each in await services_queries.services(connection, account_id=account_id)]
        refuse_unknown(codes, owned, "The account does not have this service.")
        sealed_secrets = sealed.seal_secrets(root, secrets)
        listed = await queries.listed(connection, account_id=account_id)
        found = next((each.provider_account_id for each in listed if _is(each, provider, merchant_id, test_mode)), None)
        if found is None:
            found = ids.new_id("ma", account.tag)
            made = ProviderAccount(
                provider_account_id=found,
                provider=provider,
                test_mode=test_mode,
                merchant_id=merchant_id,
                sealed=sealed_secrets,
            )
            now = clock.now(test_mode=False)
            await accounts.insert_provider_account(connection, made, account_id=account_id, created_at=now)
        elif secrets:
            await queries.save_secrets(
                connection, account_id=account_id, provider_account_id=found, sealed=sealed_secrets
            )
        await queries.stand_behind(
            connection, account_id=account_id, provider_account_id=found, codes=list(dict.fromkeys(codes or owned))
        )
        return await _one(connection, account_id, found)


async def remove(pool: Pool, clock: Clock, account_id: str, provider_account_id: str) -> None:
    """Let a provider account take nothing new; about what it took it is still asked. Raises ``NotFound``."""
    now = clock.now(test_mode=False)
    if not await queries.archive(pool, account_id=account_id, provider_account_id=provider_account_id, archived_at=now):
        raise NotFound(
            f"The account has no open provider account {provider_account_id!r}: kassa providers list shows them."
        )


def _check(provider: str, merchant_id: str, secrets: Mapping[str, str], *, test_mode: bool) -> None:
    errors = {}
    if not 1 <= len(merchant_id) <= _LENGTH_MAX or not merchant_id.isprintable():
        errors["merchant_id"] = f"This value should have from 1 to {_LENGTH_MAX} printable characters."
    if provider == TEST_PROVIDER and not test_mode:
        errors["provider"] = "The bank of the test world moves no money: it stands behind no service in live mode."
    errors |= {name: "This value should not be blank." for name, text in secrets.items() if not text}
    if errors:
        raise Invalid(errors)


def _is(each: ListedProviderAccount, provider: str, merchant_id: str, test_mode: bool) -> bool:  # noqa: FBT001
    same = (each.provider, each.merchant_id, each.test_mode) == (provider, merchant_id, test_mode)
    return same and each.archived_at is None


async def _one(connection: Executor, account_id: str, provider_account_id: str) -> ListedProviderAccount:
    listed = await queries.listed(connection, account_id=account_id)
    return next(each for each in listed if each.provider_account_id == provider_account_id)
