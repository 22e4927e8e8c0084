"""What changes a merchant's accounts at providers; it takes effect within a second (``directory.KEPT_SECONDS``)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from kassa import ids
from kassa.accounts import history, sealed
from kassa.accounts import queries as accounts
from kassa.accounts.model import Account, ListedProviderAccount, ProviderAccount
from kassa.accounts.providers import queries
from kassa.accounts.services import queries as services_queries
from kassa.accounts.services.operations import TEST_PROVIDER, refuse_unknown
from kassa.audit.model import Change
from kassa.audit.operations import record
from kassa.clock import Clock
from kassa.db.pool import Connection, Pool, transaction, unit_of_work
from kassa.errors import Invalid, NotFound, SettingsWrong
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
    by: str,
) -> ListedProviderAccount:
    """Put the merchant's account at a provider behind services: these, or all that the account has.

    Where several stand behind a service in a mode, the first that came takes its payments. What is there already, by
    provider, merchant id and mode, gets the services besides, and the secrets in place of its own if there are any.
    Raises ``NotFound`` without such an account, ``Invalid`` for values and services that cannot be.
    """
    _check(provider, merchant_id, secrets, test_mode=test_mode)
    now = clock.now(test_mode=False)
    async with transaction(pool) as connection:
        account = await accounts.account_locked(connection, account_id=account_id)
        if account is None:
            raise NotFound("There is no such account.")
        owned = [each.code for each in await services_queries.services(connection, account_id=account_id)]
        refuse_unknown(codes, owned, "The account does not have this service.")
        codes = list(dict.fromkeys(codes or owned))
        listed = await queries.listed(connection, account_id=account_id)
        before = next((each for each in listed if _is(each, provider, merchant_id, test_mode)), None)
        change: Change | None
        if before is None:
            sealed_secrets = sealed.seal_secrets(root, secrets)
            made = _made(account, provider, merchant_id, sealed_secrets, test_mode=test_mode)
            after, change = await _connect(connection, made, codes, secrets, account_id=account_id, now=now)
        else:
            after, change = await _renew(connection, root, before, codes, secrets, account_id=account_id)
        await record(connection, [change], account_id=account_id, by=by, now=now)
    return after


def _made(
    account: Account, provider: str, merchant_id: str, sealed_secrets: bytes, *, test_mode: bool
) -> ProviderAccount:
    return ProviderAccount(
        provider_account_id=ids.new_id("ma", account.tag),
        provider=provider,
        test_mode=test_mode,
        merchant_id=merchant_id,
        sealed=sealed_secrets,
    )


async def _connect(
    connection: Connection,
    made: ProviderAccount,
    codes: Sequence[str],
    secrets: Mapping[str, str],
    *,
    account_id: str,
    now: datetime,
) -> tuple[ListedProviderAccount, Change]:
    await accounts.insert_provider_account(connection, made, account_id=account_id, created_at=now)
    after = await _cover(connection, account_id, made.provider_account_id, codes)
    return after, history.provider_account_connected(made, services=after.services, secrets=sorted(secrets))


async def _renew(
    connection: Connection,
    root: Root,
    before: ListedProviderAccount,
    codes: Sequence[str],
    secrets: Mapping[str, str],
    *,
    account_id: str,
) -> tuple[ListedProviderAccount, Change | None]:
    """Give what is there already more services, and secrets in place of its own if there are any."""
    renewed = await _renew_secrets(connection, root, account_id, before.provider_account_id, secrets)
    after = await _cover(connection, account_id, before.provider_account_id, codes)
    return after, history.provider_account_changed(before, after, secrets=renewed)


@unit_of_work
async def remove(pool: Pool, clock: Clock, account_id: str, provider_account_id: str, *, by: str) -> None:
    """Let a provider account take nothing new; about what it took it is still asked. Raises ``NotFound``."""
    now = clock.now(test_mode=False)
    async with transaction(pool) as connection:
        if not await queries.archive(
            connection, account_id=account_id, provider_account_id=provider_account_id, archived_at=now
        ):
            raise NotFound(
                f"The account has no open provider account {provider_account_id!r}: kassa providers list shows them."
            )
        removed = await _one(connection, account_id, provider_account_id)
        await record(connection, [history.provider_account_removed(removed)], account_id=account_id, by=by, now=now)


def _check(provider: str, merchant_id: str, secrets: Mapping[str, str], *, test_mode: bool) -> None:
    errors = {}
    if not 1 <= len(merchant_id) <= _LENGTH_MAX or not merchant_id.isprintable():
        errors["merchant_id"] = f"This value should have from 1 to {_LENGTH_MAX} printable characters."
    if provider == TEST_PROVIDER and not test_mode:
        errors["provider"] = "The bank of the test world moves no money: it covers no service in live mode."
    errors |= {name: "This value should not be blank." for name, text in secrets.items() if not text}
    if errors:
        raise Invalid(errors)


def _is(each: ListedProviderAccount, provider: str, merchant_id: str, test_mode: bool) -> bool:  # noqa: FBT001
    same = (each.provider, each.merchant_id, each.test_mode) == (provider, merchant_id, test_mode)
    return same and each.archived_at is None


async def _renew_secrets(
    connection: Connection, root: Root, account_id: str, provider_account_id: str, secrets: Mapping[str, str]
) -> list[str]:
    """Write secrets in place of those that are there, if any are given, and return the names of those that differ."""
    if not secrets:
        return []
    present = await accounts.provider_account(
        connection, account_id=account_id, provider_account_id=provider_account_id
    )
    try:
        known = sealed.open_secrets(root, present.sealed) if present else {}
    except SettingsWrong:  # another root sealed them, which may be why there are new ones
        known = {}
    await queries.save_secrets(
        connection,
        account_id=account_id,
        provider_account_id=provider_account_id,
        sealed=sealed.seal_secrets(root, secrets),
    )
    return history.secrets_changed(known, secrets)


async def _cover(
    connection: Connection, account_id: str, provider_account_id: str, codes: Sequence[str]
) -> ListedProviderAccount:
    """Let a provider account take the payments of services, and return it as it is then."""
    await queries.stand_behind(connection, account_id=account_id, provider_account_id=provider_account_id, codes=codes)
    return await _one(connection, account_id, provider_account_id)


async def _one(connection: Connection, account_id: str, provider_account_id: str) -> ListedProviderAccount:
    listed = await queries.listed(connection, account_id=account_id)
    return next(each for each in listed if each.provider_account_id == provider_account_id)
