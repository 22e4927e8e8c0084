"""What changes an account; every change takes effect within a second (``directory.KEPT_SECONDS``).

Each writes into the account's history, in the same transaction, what changed and ``by`` whom (``audit``).
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from kassa import ids, money
from kassa.accounts import history, keys, options, queries, sealed
from kassa.accounts.model import Account, AccountKey, KeyKind, Keys, NewAccount, NewKey, ProviderAccount
from kassa.accounts.services import operations as services_operations
from kassa.accounts.services import queries as services_queries
from kassa.accounts.services.operations import TEST_PROVIDER
from kassa.audit.operations import record
from kassa.clock import Clock
from kassa.db.pool import Connection, Pool, transaction, unit_of_work
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
    by: str,
) -> NewAccount:
    """Add an account with its first keys, and the test provider behind each service that is switched on.

    Raises ``UnknownCurrency``; ``Invalid`` for a name, option or service that cannot be.
    """
    while True:
        first_keys = keys.new_keys()
        account = draft(
            first_keys.id,
            clock,
            name=name,
            currency=currency,
            description=description,
            website=website,
            texts=set_options,
        )
        # A tag of four characters may be taken; then another is tried.
        if await add(pool, root, account, first_keys, services=services, by=by):
            return NewAccount(account=account, keys=first_keys)


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
async def add(pool: Pool, root: Root, account: Account, first_keys: Keys, *, services: Sequence[str], by: str) -> bool:
    """Keep an account with its keys, provider account and services; False, and nothing, when its tag is taken."""
    account_id, now = account.account_id, account.created_at
    async with transaction(pool) as connection:
        if not await queries.insert_account(connection, account, account_id=account_id):
            return False
        added = [
            await _add_key(
                connection, root, account, getattr(first_keys, word), kind=kind, test_mode=test_mode, created_at=now
            )
            for word, (kind, test_mode) in keys.KINDS.items()
        ]
        at_bank = _test_provider_account(root, account.tag)
        await queries.insert_provider_account(connection, at_bank, account_id=account_id, created_at=now)
        changes = [
            history.created(account),
            *(history.key_added(key, beside=None) for key in added),
            history.provider_account_connected(at_bank),
        ]
        await record(connection, changes, account_id=account_id, by=by, now=now)
        if services:
            await services_operations.switch_on(connection, account, services, now=now, by=by)
    return True


@unit_of_work
async def set_options(pool: Pool, clock: Clock, account_id: str, texts: Mapping[str, str], *, by: str) -> Account:
    """Set options from their text, all or none. Raises ``NotFound``, ``Invalid``."""
    now = clock.now(test_mode=False)
    async with transaction(pool) as connection:
        before = await _locked(connection, account_id)
        account = options.apply(before, texts)
        await queries.save_options(connection, account, account_id=account_id)
        await record(connection, [history.settings_changed(before, account)], account_id=account_id, by=by, now=now)
    return account


@unit_of_work
async def archive(pool: Pool, clock: Clock, account_id: str, *, by: str) -> None:
    """Close an account: its keys are refused from now on, its invoices live on. Raises ``NotFound``."""
    now = clock.now(test_mode=False)
    async with transaction(pool) as connection:
        account = await _locked(connection, account_id)
        if not await queries.archive_account(connection, account_id=account_id, archived_at=now):
            raise NotFound("There is no such account that is open.")
        await record(connection, [history.archived(account, now)], account_id=account_id, by=by, now=now)


@unit_of_work
async def roll_key(
    pool: Pool, root: Root, clock: Clock, *, account_id: str, kind: KeyKind, test_mode: bool | None, by: str
) -> NewKey:
    """Add a key beside the present one, which goes on working until it is revoked; one older still is revoked now.

    ``test_mode`` is None for an API key, which serves both modes. Raises ``NotFound``.
    """
    now = clock.now(test_mode=False)
    text = keys.new_key(kind, test_mode=test_mode)
    async with transaction(pool) as connection:
        account = await _locked(connection, account_id)
        present = [
            each for each in await _working_keys(connection, account_id) if _is_of(each, kind, test_mode=test_mode)
        ]
        key = await _add_key(connection, root, account, text, kind=kind, test_mode=test_mode, created_at=now)
        changes = [history.key_added(key, beside=present[0] if present else None)]
        for older in present[LIVE_KEYS_MAX - 1 :]:
            await queries.revoke_key(connection, account_id=account_id, key_id=older.key_id, revoked_at=now)
            changes.append(history.key_revoked(older))
        await record(connection, changes, account_id=account_id, by=by, now=now)
    return NewKey(key_id=key.key_id, text=text)


@unit_of_work
async def revoke_key(pool: Pool, clock: Clock, *, account_id: str, key_id: str, by: str) -> None:
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
        if key.revoked_at is not None:
            return
        alike = [each for each in listed if _is_of(each, key.kind, test_mode=key.test_mode) and each.revoked_at is None]
        if key.kind == "private" and alike == [key]:
            raise KeyNeeded
        await queries.revoke_key(connection, account_id=account_id, key_id=key_id, revoked_at=now)
        await record(connection, [history.key_revoked(key)], account_id=account_id, by=by, now=now)


@unit_of_work
async def switch_services_on(pool: Pool, clock: Clock, account_id: str, codes: Sequence[str], *, by: str) -> None:
    """Switch services of the catalogue on, all or none, with the test provider behind each in test mode.

    Raises ``NotFound`` without such an account, ``Invalid`` for codes that the catalogue does not have.
    """
    async with transaction(pool) as connection:
        account = await _locked(connection, account_id)
        await services_operations.switch_on(connection, account, codes, now=clock.now(test_mode=False), by=by)


@unit_of_work
async def switch_services_off(pool: Pool, clock: Clock, account_id: str, codes: Sequence[str], *, by: str) -> None:
    """Switch services off, all or none. Raises ``NotFound``; ``Invalid`` for codes that the account does not have."""
    async with transaction(pool) as connection:
        await _locked(connection, account_id)
        owned = {each.code for each in await services_queries.services(connection, account_id=account_id)}
        services_operations.refuse_unknown(codes, owned, "The account does not have this service.")
        async with services_operations.recorded(connection, account_id, now=clock.now(test_mode=False), by=by):
            await services_queries.switch_off(connection, account_id=account_id, codes=codes)


def bank_merchant_secret(root: Root) -> str:
    """Return what ``BANK_MERCHANT_ID`` is known by at the bank of the test world."""
    return base64.urlsafe_b64encode(root.derive("bank-merchant")).rstrip(b"=").decode()


async def _locked(connection: Connection, account_id: str) -> Account:
    account = await queries.account_locked(connection, account_id=account_id)
    if account is None:
        raise NotFound("There is no such account.")
    return account


async def _working_keys(connection: Connection, account_id: str) -> list[AccountKey]:
    """Return the keys that have not been revoked, newest first."""
    return [each for each in await queries.keys(connection, account_id=account_id) if each.revoked_at is None]


async def _add_key(
    connection: Connection,
    root: Root,
    account: Account,
    text: str,
    *,
    kind: KeyKind,
    test_mode: bool | None,
    created_at: datetime,
) -> AccountKey:
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
    return key


def _is_of(key: AccountKey, kind: KeyKind, *, test_mode: bool | None) -> bool:
    return (key.kind, key.test_mode) == (kind, test_mode)


def _test_provider_account(root: Root, tag: str) -> ProviderAccount:
    return ProviderAccount(
        provider_account_id=ids.new_id("ma", tag),
        provider=TEST_PROVIDER,
        test_mode=True,
        merchant_id=BANK_MERCHANT_ID,
        sealed=sealed.seal_secrets(root, {"secret": bank_merchant_secret(root)}),
    )
