"""Who is asking, and on what terms: accounts, keys, services and routes, read on each request, kept half a second.

What ``operations`` change therefore takes effect in every process within a second, with no word between them.
"""

import hmac
import math
import re
from collections.abc import Sequence
from typing import Final, TypeVar

from kassa import ids
from kassa.accounts import keys, queries, sealed
from kassa.accounts.model import Account, AccountService, ProviderAccount, Route
from kassa.accounts.services import queries as services
from kassa.cache import Recent
from kassa.clock import Clock
from kassa.db.pool import Pool
from kassa.errors import Forbidden, NotFound, Unauthorized
from kassa.moderation import queries as moderation
from kassa.moderation.model import Rule
from kassa.observability import about
from kassa.providers.protocol import Credentials
from kassa.sealing import Root

Found = TypeVar("Found")

KEPT_SECONDS: Final = 0.5
_NO_DIGEST: Final = bytes(32)
_CODE: Final = re.compile(r"[a-z0-9_]{1,100}")
"""What can be a service's code, so that nothing else is looked up or kept."""


class Directory:
    """One process's view of the accounts."""

    def __init__(self, pool: Pool, root: Root, providers: Sequence[str]) -> None:
        """Look at the accounts; only ``providers``, by their codes, are there to take new payments."""
        self._pool = pool
        self._root = root
        self._providers = providers
        self._accounts = Recent(self._load_account, seconds=KEPT_SECONDS)
        self._ids_by_tag = Recent(self._load_id_by_tag, seconds=math.inf)
        self._public_keys = Recent(self._load_public_key, seconds=KEPT_SECONDS)
        self._api_digests = Recent(self._load_api_digests, seconds=KEPT_SECONDS)
        self._private_keys = Recent(self._load_private_keys, seconds=KEPT_SECONDS)
        self._services = Recent(self._load_service, seconds=KEPT_SECONDS)
        self._offered = Recent(self._load_offered, seconds=KEPT_SECONDS)
        self._offered_currencies = Recent(self._load_offered_currencies, seconds=KEPT_SECONDS)
        self._routes = Recent(self._load_route, seconds=KEPT_SECONDS)
        self._credentials = Recent(self._load_credentials, seconds=KEPT_SECONDS)
        self._listened = Recent(self._load_listened, seconds=KEPT_SECONDS)
        self._moderation_rules = Recent(self._load_moderation_rules, seconds=KEPT_SECONDS)

    async def by_id(self, account_id: str) -> Account:
        """Return an account, whose id is then on the log lines of the request under way. Raises ``NotFound``."""
        account = await self._accounts.get(account_id)
        about(account_id=account.account_id)
        return account

    async def by_tag(self, tag: str) -> Account:
        """Return the account whose ids carry this tag. Raises ``NotFound``."""
        return await self.by_id(await self._ids_by_tag.get(tag))

    async def by_public_key(self, public_key: str) -> tuple[Account, bool]:
        """Return the account of a public key, and whether the key is of test mode (contract#authentication).

        Raises ``Unauthorized`` for a key that is unknown or revoked, ``Forbidden`` for an archived account's.
        """
        if not keys.is_public_key(public_key):
            raise Unauthorized
        account_id, test_mode = await self._public_keys.get(keys.digest(public_key))
        return _open(await self.by_id(account_id)), test_mode

    async def authenticate(self, account_id: str, api_key: str) -> Account:
        """Return the account that an API key opens (contract#authentication).

        Every key of the account is compared in constant time, and a stand-in where there is none. Raises
        ``Unauthorized`` for an unknown account or key, ``Forbidden`` for an archived account.
        """
        known = await self._api_digests.get(account_id) if ids.tag_of(account_id, "coma") else ()
        shown = keys.digest(api_key)
        matches = [hmac.compare_digest(shown, digest) for digest in known or (_NO_DIGEST,)]
        if not any(matches):
            raise Unauthorized
        return _open(await self.by_id(account_id))

    async def private_keys(self, account_id: str, *, test_mode: bool) -> list[str]:
        """Return the keys that sign callbacks of a mode, newest first."""
        return list(await self._private_keys.get((account_id, test_mode)))

    async def is_listened(self, account_id: str, *, test_mode: bool) -> bool:
        """Return whether there is a listener to the account's callbacks of a mode, or was half a second ago."""
        return await self._listened.get((account_id, test_mode))

    async def service(self, account_id: str, code: str) -> AccountService | None:
        """Return a service as the account has it, on or off, or None where it has not; any text is asked about."""
        return await self._services.get((account_id, code)) if _CODE.fullmatch(code) else None

    async def offered(self, account_id: str, currency: str, *, test_mode: bool) -> tuple[AccountService, ...]:
        """Return the services in a currency that a payer can be offered in a mode: on, and with a provider behind."""
        return await self._offered.get((account_id, currency, test_mode))

    async def offered_currencies(self, account_id: str, *, test_mode: bool) -> tuple[str, ...]:
        """Return the currencies that the account has services in that a payer can be offered in a mode."""
        return await self._offered_currencies.get((account_id, test_mode))

    async def route(self, account_id: str, code: str, *, test_mode: bool) -> Route | None:
        """Return where a new payment of a service goes in a mode, or None where no provider covers it."""
        return await self._routes.get((account_id, code, test_mode)) if _CODE.fullmatch(code) else None

    async def credentials(self, account_id: str, provider_account_id: str) -> Route:
        """Return the provider account that took an earlier payment, archived or not. Raises ``NotFound``."""
        return await self._credentials.get((account_id, provider_account_id))

    async def moderation_rules(self, account_id: str) -> tuple[Rule, ...]:
        """Return the rules that hold an account's payments for a person, oldest first."""
        return await self._moderation_rules.get(account_id)

    async def _load_account(self, account_id: str) -> Account:
        return _found(await queries.account(self._pool, account_id=account_id))

    async def _load_id_by_tag(self, tag: str) -> str:
        return _found(await queries.account_id_by_tag(self._pool, tag=tag))

    async def _load_public_key(self, digest: bytes) -> tuple[str, bool]:
        found = await queries.public_key(self._pool, digest=digest)
        if found is None:
            raise Unauthorized
        return found

    async def _load_api_digests(self, account_id: str) -> tuple[bytes, ...]:
        return await queries.api_digests(self._pool, account_id=account_id)

    async def _load_private_keys(self, key: tuple[str, bool]) -> tuple[str, ...]:
        account_id, test_mode = key
        found = await queries.sealed_private_keys(self._pool, account_id=account_id, test_mode=test_mode)
        return tuple(sealed.open_private_key(self._root, each) for each in found)

    async def _load_listened(self, key: tuple[str, bool]) -> bool:
        account_id, test_mode = key
        return await queries.is_listened(self._pool, account_id=account_id, test_mode=test_mode, now=Clock.real())

    async def _load_service(self, key: tuple[str, str]) -> AccountService | None:
        account_id, code = key
        return await services.service(self._pool, account_id=account_id, code=code)

    async def _load_offered(self, key: tuple[str, str, bool]) -> tuple[AccountService, ...]:
        account_id, currency, test_mode = key
        found = await services.offered(
            self._pool, account_id=account_id, currency=currency, test_mode=test_mode, providers=self._providers
        )
        return tuple(found)

    async def _load_offered_currencies(self, key: tuple[str, bool]) -> tuple[str, ...]:
        account_id, test_mode = key
        return await services.offered_currencies(self._pool, account_id=account_id, test_mode=test_mode)

    async def _load_route(self, key: tuple[str, str, bool]) -> Route | None:
        account_id, code, test_mode = key
        found = await queries.route(
            self._pool, account_id=account_id, code=code, test_mode=test_mode, providers=self._providers
        )
        return self._route(found) if found else None

    async def _load_credentials(self, key: tuple[str, str]) -> Route:
        account_id, provider_account_id = key
        found = await queries.provider_account(
            self._pool, account_id=account_id, provider_account_id=provider_account_id
        )
        return self._route(_found(found))

    async def _load_moderation_rules(self, account_id: str) -> tuple[Rule, ...]:
        return await moderation.rules(self._pool, account_id=account_id)

    def _route(self, kept: ProviderAccount) -> Route:
        return Route(
            provider=kept.provider,
            credentials=Credentials(
                provider_account_id=kept.provider_account_id,
                merchant_id=kept.merchant_id,
                test_mode=kept.test_mode,
                secrets=sealed.open_secrets(self._root, kept.sealed),
            ),
        )


def _found(value: Found | None) -> Found:
    if value is None:
        raise NotFound
    return value


def _open(account: Account) -> Account:
    if account.archived_at is not None:
        raise Forbidden("The account is archived.")
    return account
