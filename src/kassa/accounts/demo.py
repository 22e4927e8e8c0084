"""The demo account: made at the first start, the same at every later one, so that a key once copied keeps working."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from kassa.accounts import operations, queries
from kassa.accounts.keys import new_keys
from kassa.accounts.model import Account, Keys
from kassa.accounts.services import queries as service_queries
from kassa.audit.model import KASSA
from kassa.clock import Clock
from kassa.db.files import read_private, write_private
from kassa.db.pool import Pool
from kassa.errors import SettingsWrong
from kassa.sealing import Root

NAME: Final = "Kassa Demo"
CURRENCY: Final = "EUR"

_FILE = "demo.json"


async def ensure(
    pool: Pool, root: Root, clock: Clock, home: Path, shop: Mapping[str, str], *, services: Sequence[str]
) -> Keys:
    """Return the keys of the demo account, which exists from now on and whose site and callbacks are the demo shop's.

    ``shop`` holds the account's options that are addresses of the shop, ``merchant_url`` and ``callback_url``.

    It has all these services; one that its user has switched off stays off.

    The keys are kept in the home and written there before the account is, so whatever is interrupted goes on from them,
    and a new database gets the old keys. Raises ``SettingsWrong`` when that file cannot be read.
    """
    while True:
        keys = kept(home) or _new(home)
        account = await queries.account(pool, account_id=keys.id)
        if account is not None:
            await _follow_shop(pool, clock, account, shop)
            await _add_missing(pool, clock, keys.id, services)
            return keys
        draft = operations.draft(
            keys.id,
            clock,
            name=NAME,
            currency=CURRENCY,
            description="What Kassa shows itself with",
            texts=dict(shop),
        )
        if await operations.add(pool, root, draft, keys, services=services, by=KASSA):
            return keys
        # Another account has the tag, or another process made this one just now.
        if await queries.account(pool, account_id=keys.id) is None:
            (home / _FILE).unlink(missing_ok=True)


async def _follow_shop(pool: Pool, clock: Clock, account: Account, shop: Mapping[str, str]) -> None:
    """Let the account's addresses lead where the demo shop is now, unless the user has sent them elsewhere."""
    moved = {name: url for name, url in shop.items() if _elsewhere(getattr(account, name), url)}
    if moved:
        await operations.set_options(pool, clock, account.account_id, moved, by=KASSA)


def _elsewhere(present: str | None, url: str) -> bool:
    """Return whether an address is the shop's of an earlier start, with another host or port."""
    return present is not None and present != url and urlsplit(present).path == urlsplit(url).path


async def _add_missing(pool: Pool, clock: Clock, account_id: str, codes: Sequence[str]) -> None:
    """Add what a newer version brings along."""
    owned = {each.code for each in await service_queries.services(pool, account_id=account_id)}
    missing = [code for code in codes if code not in owned]
    if missing:
        await operations.switch_services_on(pool, clock, account_id, missing, by=KASSA)


def kept(home: Path) -> Keys | None:
    """Return the demo account's keys, None in a home that has no such account. Raises ``SettingsWrong``."""
    text = read_private(home / _FILE)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Keys)
    except msgspec.DecodeError:
        # The decoder's own words could quote a key.
        raise SettingsWrong(f"{_FILE} in the home cannot be read; remove it to get a new demo account.") from None


def _new(home: Path) -> Keys:
    """Return new keys, or those that another process has just made."""
    keys = new_keys()
    write_private(home / _FILE, msgspec.json.encode(keys), replace=False)
    return kept(home) or keys
