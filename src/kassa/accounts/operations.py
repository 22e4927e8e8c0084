"""What changes an account; every change takes effect within a second (``directory.KEPT_SECONDS``)."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from kassa import ids, money
from kassa.accounts import keys, options, queries, sealed
from kassa.accounts.model import Account, AccountKey, KeyKind, Keys, NewAccount, NewKey, ProviderAccount
from kassa.accounts.services import operations as services_operations
from kassa.accounts.services import queries as services_queries
from kassa.accounts.services.operations import TEST_PROVIDER
from kassa.clock import Clock
from kassa.db.pool import Executor, Pool, transaction, unit_of_work
from kassa.errors import Invalid, KeyNeeded, NotFound
from kassa.sealing import Root

LIVE_KEYS_MAX: Final = 2
"""How many keys of a kind and mode work at once: the new one, and the one that it replaces."""

BANK_MERCHANT_ID: Final = "host2hostTest"

_NAME_LENGTH_MAX: Final = 100


async def create(
    pool: Pool,
    root: Root,
    clock: Clock,
    *,
    name: str,
    currency: str,
    description: str = "",
    website: str | None = None,
    set_options: Mapping[str, str] | None = None,
    services: Sequence[str] = (),
) -> NewAccount:
    """Add an account with its first keys, and the test provider behind each service that is switched on.

    Raises ``UnknownCurrency``; ``Invalid`` for a name, option or service that cannot be.
    """
    while True:
        drawn = keys.new_keys()
        account = draft(
            drawn.id, clock, name=name, currency=currency, description=description, website=website, texts=set_options
        )
        # A tag of four characters may be taken; then another is drawn.
        if await add(pool, root, account, drawn, services=services):
            return NewAccount(account=account, keys=drawn)


def draft(
    account_id: str,
    clock: Clock,
    *,
    name: str,
    currency: str,
    description: str = "",
    website: str | None = None,
    texts: Mapping[str, str] | None = None,
) -> Account:
    """Return an account that is not kept yet. Raises as ``create`` does."""
    name = name.strip()
    if not 1 <= len(name) <= _NAME_LENGTH_MAX or not name.isprintable():
        raise Invalid({"name": f"This value should have from 1 to {_NAME_LENGTH_MAX} printable characters."})
    try:
        website = options.url(website or "")
    except ValueError as error:
        raise Invalid({"website": str(error)}) from None
    money.exponent(currency)
    tag = ids.tag_of(account_id, "coma") or ""
    account = Account(
        account_id=account_id,
        tag=tag,
        name=name,
        description=description,
        website=website,
        currency=currency,
        external_mid=ids.new_id("org", tag),
        created_at=clock.now(test_mode=False),
    )
    return options.apply(account, texts or {})


@unit_of_work
async def add(pool: Pool, root: Root, account: Account, drawn: Keys, *, services: Sequence[str]) -> bool:
    """Keep an account with its keys, provider account and services; False, and nothing, when its tag is taken."""
    async with transaction(pool) as connection:
        if not await queries.insert_account(connection, account, account_id=account.account_id):
            return False
        for word, (kind, test_mode) in keys.KINDS.items():
            text = getattr(drawn, word)
            created_at = account.created_at
            await _add_key(connection, root, account, text, kind=kind, test_mode=test_mode, created_at=created_at)
        await queries.insert_provider_account(
            connection,
            _test_provider_account(root, account.tag),
            account_id=account.account_id,
            created_at=account.created_at,
        )
        if services:
            await services_operations.switch_on(connection, account, services, account.created_at)
    return True


@unit_of_work
async def set_options(pool: Pool, account_id: str, texts: Mapping[str, str]) -> Account:
    """Set options from their text, all or none. Raises ``NotFound``, ``Invalid``."""
    async with transaction(pool) as connection:
        account = options.apply(await _locked(connection, account_id), texts)
        await queries.save_options(connection, account, account_id=account_id)
    return account


async def archive(pool: Pool, clock: Clock, account_id: str) -> None:
    """Close an account: its keys are refused from now on, its invoices live on. Raises ``NotFound``."""
    now = clock.now(test_mode=False)
    if not await queries.archive_account(pool, account_id=account_id, archived_at=now):
        raise NotFound("There is no such account that is open.")


@unit_of_work
async def roll_key(
    pool: Pool, root: Root, clock: Clock, *, account_id: str, kind: KeyKind, test_mode: bool | None
) -> NewKey:
    """Add a key beside the present one, which goes on working until it is revoked; one older still is revoked now.

    ``test_mode`` is None for an API key, which serves both modes. Raises ``NotFound``.
    """
    now = clock.now(test_mode=False)
    text = keys.new_key(kind, test_mode=test_mode)
    async with transaction(pool) as connection:
        account = await _locked(connection, account_id)
        key_id = await _add_key(connection, root, account, text, kind=kind, test_mode=test_mode, created_at=now)
        await queries.revoke_older_keys(
            connection, account_id=account_id, kind=kind, test_mode=test_mode, keep=LIVE_KEYS_MAX, revoked_at=now
        )
    return NewKey(key_id=key_id, text=text)


@unit_of_work
async def revoke_key(pool: Pool, clock: Clock, *, account_id: str, key_id: str) -> None:
    """Let a key work no more; what is revoked already stays so.

    Raises ``NotFound``; ``KeyNeeded`` for the last private key of a mode, without which no callback could be signed.
    """
    now = clock.now(test_mode=False)
    async with transaction(pool) as connection:
        await _locked(connection, account_id)
        listed = await queries.keys(connection, account_id=account_id)
        key = next((each for each in listed if each.key_id == key_id), None)
        if key is None:
            raise NotFound(f"The account has no key {key_id!r}: kassa keys list shows those that it has.")
        alike = [each for each in listed if _alike(each, key) and each.revoked_at is None]
        if key.kind == "private" and alike == [key]:
            raise KeyNeeded
        if key.revoked_at is None:
            await queries.revoke_key(connection, account_id=account_id, key_id=key_id, revoked_at=now)


@unit_of_work
async def switch_services_on(pool: Pool, clock: Clock, account_id: str, codes: Sequence[str]) -> None:
    """Switch services of the catalogue on, all or none, with the test provider behind each in test mode.

    Raises ``NotFound`` without such an account, ``Invalid`` for codes that the catalogue does not have.
    """
    async with transaction(pool) as connection:
        account = await _locked(connection, account_id)
        await services_operations.switch_on(connection, account, codes, clock.now(test_mode=False))


@unit_of_work
async def switch_services_off(pool: Pool, account_id: str, codes: Sequence[str]) -> None:
    """Switch services off, all or none. Raises ``NotFound``; ``Invalid`` for codes that the account does not have."""
    async with transaction(pool) as connection:
        await _locked(connection, account_id)
        owned = {each.code for each in await services_queries.services(connection, account_id=account_id)}
        services_operations.refuse_unknown(codes, owned, "The account does not have this service.")
        await services_queries.switch_off(connection, account_id=account_id, codes=codes)


def bank_merchant_secret(root: Root) -> str:
    """Return what ``BANK_MERCHANT_ID`` is known by at the bank of the test world."""
    return base64.urlsafe_b64encode(root.derive("bank-merchant")).rstrip(b"=").decode()


async def _locked(connection: Executor, account_id: str) -> Account:
    account = await queries.account_locked(connection, account_id=account_id)
    if account is None:
        raise NotFound("There is no such account.")
    return account


async def _add_key(
    connection: Executor,
    root: Root,
    account: Account,
    text: str,
    *,
    kind: KeyKind,
    test_mode: bool | None,
    created_at: datetime,
) -> str:
    key = AccountKey(
        key_id=ids.new_id("key", account.tag),
        kind=kind,
        test_mode=test_mode,
        hint=keys.hint(text),
        value=text if kind == "public" else None,
        created_at=created_at,
        revoked_at=None,
    )
    await queries.insert_key(
        connection,
        key,
        account_id=account.account_id,
        digest=keys.digest(text),
        sealed=sealed.seal_private_key(root, text) if kind == "private" else None,
    )
    return key.key_id


def _alike(one: AccountKey, other: AccountKey) -> bool:
    return (one.kind, one.test_mode) == (other.kind, other.test_mode)


def _test_provider_account(root: Root, tag: str) -> ProviderAccount:
    return ProviderAccount(
        provider_account_id=ids.new_id("ma", tag),
        provider=TEST_PROVIDER,
        test_mode=True,
        merchant_id=BANK_MERCHANT_ID,
        sealed=sealed.seal_secrets(root, {"secret": bank_merchant_secret(root)}),
    )
