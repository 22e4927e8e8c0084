"""What an account's history says of a change: the members that may be shown, never a secret. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from kassa import money
from kassa.accounts import logo
from kassa.accounts.model import Account, AccountKey, AccountService, ListedProviderAccount, ProviderAccount
from kassa.accounts.options import OPTIONS
from kassa.accounts.services.terms import Terms
from kassa.audit.model import Change, Kind, Members, changed, made, removed

_AMOUNTS: Final = ("amount_min", "amount_max", "fee_fix", "fee_min", "fee_max", "refund_fee_fix", "charge_back_fee_fix")
_SECRETS: Final = "secrets_changed"
"""The names of a provider account's secrets whose text changed; the texts are nowhere."""


def created(account: Account) -> Change:
    """Return that an account was created."""
    given = {name: getattr(account, name) for name in ("name", "currency", "description", "website")}
    return made(Kind.ACCOUNT_CREATED, account.account_id, given | _settings(account))


def settings_changed(before: Account, after: Account) -> Change | None:
    """Return which options changed, or None."""
    return changed(Kind.SETTINGS_CHANGED, after.account_id, _settings(before), _settings(after))


def archived(account: Account, now: datetime) -> Change:
    """Return that an account was closed."""
    before, after = {"archived_at": None}, {"archived_at": now}
    return Change(kind=Kind.ACCOUNT_ARCHIVED, subject_id=account.account_id, before=before, after=after)


def key_added(key: AccountKey, *, beside: AccountKey | None) -> Change:
    """Return that a key was made: the first of its kind and mode, or another beside the newest that works."""
    if beside is None:
        return made(Kind(f"{key.kind}_key.created"), key.key_id, _key(key))
    before = {"key_id": beside.key_id, "hint": beside.hint}
    after = {"key_id": key.key_id, "hint": key.hint}
    return Change(kind=Kind(f"{key.kind}_key.rotated"), subject_id=key.key_id, before=before, after=after)


def key_revoked(key: AccountKey) -> Change:
    """Return that a key was revoked."""
    return removed(Kind(f"{key.kind}_key.revoked"), key.key_id, _key(key))


def services_changed(before: Sequence[AccountService], after: Sequence[AccountService]) -> Iterator[Change | None]:
    """Yield what changed of an account's services."""
    earlier = {each.code: each for each in before}
    for each in after:
        if each.code in earlier:
            yield changed(Kind.SERVICE_CHANGED, each.code, _service(earlier[each.code]), _service(each))
        else:
            yield made(Kind.SERVICE_ADDED, each.code, _service(each))


def provider_account_connected(
    connected: ProviderAccount, *, services: Sequence[str] = (), secrets: Sequence[str] = ()
) -> Change:
    """Return that an account at a provider was put behind services, with secrets of these names."""
    members = {**_provider_account(connected), "services": list(services), _SECRETS: list(secrets)}
    return made(Kind.PROVIDER_ACCOUNT_CONNECTED, connected.provider_account_id, members)


def provider_account_changed(
    before: ListedProviderAccount, after: ListedProviderAccount, *, secrets: Sequence[str]
) -> Change | None:
    """Return what changed of an account at a provider, or None; ``secrets`` names those whose text did."""
    return changed(
        Kind.PROVIDER_ACCOUNT_CHANGED,
        after.provider_account_id,
        {"services": before.services, _SECRETS: []},
        {"services": after.services, _SECRETS: list(secrets)},
    )


def provider_account_removed(listed: ListedProviderAccount) -> Change:
    """Return that an account at a provider takes no new payments."""
    members = {**_provider_account(listed), "services": listed.services}
    return removed(Kind.PROVIDER_ACCOUNT_REMOVED, listed.provider_account_id, members)


def secrets_changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of the secrets that are new, gone or have another text."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _settings(account: Account) -> dict[str, object]:
    """Return an account's options; its logo by the name that follows from what it shows."""
    found = {name: getattr(account, name) for name in OPTIONS}
    return found | {"logo": logo.name(account.logo) if account.logo else None}


def _key(key: AccountKey) -> Members:
    return {"mode": None if key.test_mode is None else _mode(test_mode=key.test_mode), "hint": key.hint}


def _service(service: AccountService) -> Members:
    """Return whether a service is enabled and on what terms, amounts as decimals of its currency."""
    found = {name: getattr(service, name) for name in ("enabled", *Terms.__struct_fields__)}
    amounts = {name: money.to_decimal(found[name], service.currency) for name in _AMOUNTS}
    return found | amounts


def _provider_account(account: ProviderAccount | ListedProviderAccount) -> dict[str, object]:
    mode = _mode(test_mode=account.test_mode)
    return {"provider": account.provider, "merchant_id": account.merchant_id, "mode": mode}


def _mode(*, test_mode: bool) -> str:
    return "test" if test_mode else "live"
