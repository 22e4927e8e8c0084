"""What is kept of a change of an account: the members that differ, before and after. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from kassa.values import Value

KASSA: Final = "kassa"
"""Who changes what no one asked for, such as the demo account at a start."""

Members = Mapping[str, object]


class Kind(StrEnum):
    """What happened."""

    ACCOUNT_CREATED = "account.created"
    ACCOUNT_ARCHIVED = "account.archived"
    SETTINGS_CHANGED = "settings.changed"
    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    """There is a new key beside the one before it, which goes on working until it is revoked; so with the others."""
    API_KEY_REVOKED = "api_key.revoked"
    PUBLIC_KEY_CREATED = "public_key.created"
    PUBLIC_KEY_ROTATED = "public_key.rotated"
    PUBLIC_KEY_REVOKED = "public_key.revoked"
    PRIVATE_KEY_CREATED = "private_key.created"
    PRIVATE_KEY_ROTATED = "private_key.rotated"
    PRIVATE_KEY_REVOKED = "private_key.revoked"
    SERVICE_ADDED = "service.added"
    SERVICE_CHANGED = "service.changed"
    """Its terms, or whether it is enabled."""
    PROVIDER_ACCOUNT_CONNECTED = "provider_account.connected"
    PROVIDER_ACCOUNT_CHANGED = "provider_account.changed"
    """Its secrets, or the services that it takes payments of."""
    PROVIDER_ACCOUNT_REMOVED = "provider_account.removed"
    RULE_ADDED = "rule.added"
    RULE_REMOVED = "rule.removed"


class Change(Value, frozen=True, kw_only=True):
    """One change that is about to be saved. Members are values that JSON has, and never secret."""

    kind: Kind
    subject_id: str
    before: Members | None
    after: Members | None


class AccountEvent(Value, frozen=True, kw_only=True):
    """A change that was saved."""

    account_id: str
    event_id: int
    """Ascending in the order of the account's changes."""
    kind: str
    subject_id: str
    """The id of what was changed; of a service its code."""
    before: dict[str, Any] | None
    """The members that changed, None before something was made."""
    after: dict[str, Any] | None
    """The same members as they were from then on, None after something was removed."""
    changed_by: str
    changed_at: datetime


def made(kind: Kind, subject_id: str, after: Members) -> Change:
    """Return that something was made; its members that are empty, false or zero are left out."""
    return Change(kind=kind, subject_id=subject_id, before=None, after=_filled(after))


def removed(kind: Kind, subject_id: str, before: Members) -> Change:
    """Return that something was removed; its members that were empty, false or zero are left out."""
    return Change(kind=kind, subject_id=subject_id, before=_filled(before), after=None)


def changed(kind: Kind, subject_id: str, before: Members, after: Members) -> Change | None:
    """Return which members changed, or None where none did. Both have the same members."""
    names = [name for name in after if before[name] != after[name]]
    if not names:
        return None
    return Change(
        kind=kind,
        subject_id=subject_id,
        before={name: before[name] for name in names},
        after={name: after[name] for name in names},
    )


def _filled(members: Members) -> Members:
    return {name: value for name, value in members.items() if value}
