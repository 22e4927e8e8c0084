"""An account to test with, and what changes and reads it."""

from dataclasses import dataclass

from kassa.accounts import operations
from kassa.accounts.directory import Directory
from kassa.accounts.model import Keys, NewAccount
from kassa.catalogue.operations import load_builtin
from kassa.clock import Clock
from kassa.db.pool import Pool
from kassa.sealing import Root

CARD_USD = "payment_card_usd_hpp"
CARD_EUR = "payment_card_eur_hpp"


@dataclass(frozen=True, kw_only=True)
class Shop:
    """An account with one card service, and what changes and reads it."""

    pool: Pool
    root: Root
    clock: Clock
    made: NewAccount

    @property
    def id(self) -> str:
        """The account's."""
        return self.made.account.account_id

    @property
    def keys(self) -> Keys:
        """The account's first ones."""
        return self.made.keys

    def directory(self) -> Directory:
        """A process's view that has not kept anything yet."""
        return Directory(self.pool, self.root, ["test"])


async def made(pool: Pool) -> Shop:
    """Make an account with one card service in US dollars."""
    await load_builtin(pool)
    root, clock = Root(Root.generate()), Clock()
    account = await operations.create(pool, root, clock, name="Shop", currency="EUR", services=[CARD_USD], by="ann")
    return Shop(pool=pool, root=root, clock=clock, made=account)
