"""What an account is: a merchant's name and options, its keys, its services, and the provider accounts behind them."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from kassa.providers.protocol import Credentials
from kassa.values import Value

KeyKind = Literal["api", "public", "private"]
"""``api`` opens the private API, ``public`` the public API, ``private`` only signs callbacks.

See contract#authentication.
"""


class Account(Value, frozen=True, kw_only=True):
    """One merchant's account. The options are those of ``options.OPTIONS``; the rest is given once."""

    account_id: str
    tag: str
    """The four characters that stand in each id of this account (contract#formats)."""
    name: str
    description: str = ""
    icon: str | None = None
    website: str | None = None
    currency: str
    """The settlement currency, for information."""
    external_mid: str
    """How the account is known in ``original_data`` before a payment: ``org_…``."""
    forbid_public_access: bool = False
    callback_url: str | None = None
    return_url: str | None = None
    merchant_url: str | None = None
    lifetime_minutes: int = 30
    attempts: int = 5
    only_final_callbacks: bool = False
    ip_allow_list: tuple[str, ...] = ()
    """Networks that the private API may be called from; empty means any."""
    late_success: Literal["book", "refund"] = "book"
    callback_retries: int = 100
    payer_pays_fee: bool = False
    """The fee comes on top of the amount instead of being taken from it."""
    exchange_spread: Decimal = Decimal(0)
    """Percent that a conversion costs the payer beside the rate."""
    moderation_by_api: bool = False
    """The API key may approve and reject held payments; else only the operator does, by ``kassa moderation``."""
    support_url: str | None = None
    """Where payers find help; it is shown on every page of theirs, and so are the two below."""
    support_email: str | None = None
    terms_url: str | None = None
    logo: bytes | None = None
    """A picture of 16 KiB at most, PNG or SVG, on every page for payers."""
    created_at: datetime
    archived_at: datetime | None = None


class AccountService(Value, frozen=True, kw_only=True):
    """A service of the catalogue as one account has it. Amounts are minor units of ``currency``, rates are percent.

    The fields that a payer fills in are the catalogue's: ``catalogue.directory.Catalogue.service``.
    """

    account_service_id: str
    code: str
    method: str
    flow: str
    currency: str
    enabled: bool
    """The merchant has switched it on; whether a provider covers it is for ``Directory.route`` to say."""
    amount_min: int
    amount_max: int
    fee_rate: Decimal
    fee_fix: int
    fee_min: int
    fee_max: int
    reserve_rate: Decimal
    reserve_lifetime: int
    """Minutes."""
    refund_fee_fix: int = 0
    charge_back_fee_fix: int = 0


class Backing(Value, frozen=True, kw_only=True):
    """In which modes a provider account covers a service."""

    test: bool = False
    live: bool = False


class Route(Value, frozen=True, kw_only=True):
    """Where a payment goes: a provider, and the merchant's account there."""

    provider: str
    credentials: Credentials


class ProviderAccount(Value, frozen=True, kw_only=True):
    """A merchant's account at a provider as it is kept, its secrets sealed."""

    provider_account_id: str
    provider: str
    test_mode: bool
    merchant_id: str
    sealed: bytes

    def __repr__(self) -> str:
        return f"ProviderAccount({self.provider_account_id}, …)"


class ListedProviderAccount(Value, frozen=True, kw_only=True):
    """A merchant's account at a provider as it may be listed, without its secrets."""

    provider_account_id: str
    provider: str
    test_mode: bool
    merchant_id: str
    services: list[str]
    """The services that it covers."""
    archived_at: datetime | None
    """Since when it takes nothing new."""


class AccountKey(Value, frozen=True, kw_only=True):
    """A key as it may be listed: whole if it is public, by its last characters if it is not."""

    key_id: str
    kind: KeyKind
    test_mode: bool | None
    """None for an API key, which serves both modes."""
    hint: str
    value: str | None
    created_at: datetime
    revoked_at: datetime | None


class Keys(Value, frozen=True, kw_only=True):
    """An account's first keys, readable once: when the account is created."""

    id: str
    """The account's."""
    api_key: str
    public_key_test: str
    public_key_live: str
    private_key_test: str
    private_key_live: str

    def __repr__(self) -> str:
        return f"Keys({self.id}, …)"


class NewAccount(Value, frozen=True, kw_only=True):
    """An account and the keys to it, at its creation."""

    account: Account
    keys: Keys


class NewKey(Value, frozen=True, kw_only=True):
    """A key and its text, at its creation."""

    key_id: str
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.key_id}, …)"
