"""A platform on a test's own database, made as `kassa.app` makes it, and an account with an invoice on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from kassa import ids
from kassa.accounts import operations as accounts
from kassa.accounts.directory import Directory
from kassa.accounts.model import NewAccount
from kassa.catalogue.directory import Catalogue
from kassa.catalogue.operations import load_builtin
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db import pool, view
from kassa.db.pool import Pool
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.invoices.tables.carrying import carry_out
from kassa.outbound import Outbound
from kassa.platform import Platform
from kassa.providers.registry import Registry
from kassa.rate_limits import RateLimits
from kassa.rates.directory import Rates
from kassa.rates.operations import load_bundled
from kassa.sealing import Root
from kassa.tokens import TokenSigner
from tests.support.postgres import Database

_CLOSE_SECONDS = 5


@asynccontextmanager
async def opened(database: Database, settings: Settings | None = None) -> AsyncIterator[Platform]:
    """Open a platform, in demo mode unless settings are given."""
    chosen = settings or Settings(
        demo=True, base_url="http://base.test", gate_url="http://gate.test", bank_url="http://bank.test"
    )
    root = Root(Root.generate())
    clock = Clock()
    await load_builtin(database.pool)
    await load_bundled(database.pool, now=clock.real())
    async with Outbound(chosen) as outbound, _views(database) as views:
        providers = Registry.load(chosen, outbound)
        yield Platform(
            settings=chosen,
            clock=clock,
            root=root,
            tokens=TokenSigner(chosen, root),
            pool=database.pool,
            view=views,
            accounts=Directory(database.pool, root, providers.codes()),
            catalogue=Catalogue(database.pool),
            rates=Rates(database.pool, clock, chosen),
            providers=providers,
            outbound=outbound,
            rate_limits=RateLimits(chosen),
        )


@asynccontextmanager
async def _views(database: Database) -> AsyncIterator[Pool]:
    views = await pool.connect(database.url, role=view.ROLE, size=2)
    try:
        yield views
    finally:
        await pool.close(views, seconds=_CLOSE_SECONDS)


async def new_account(platform: Platform, **options: str) -> NewAccount:
    """Add an account."""
    return await accounts.create(
        platform.pool, platform.root, platform.clock, name="Shop", currency="EUR", set_options=options, by="ann"
    )


async def new_invoice(platform: Platform, made: NewAccount, *, test_mode: bool = True) -> Invoice:
    """Add an invoice that nothing has happened to."""
    now, tag = platform.clock.now(test_mode=test_mode), made.account.tag
    invoice = Invoice(
        account_id=made.account.account_id,
        invoice_id=ids.new_id("cpi", tag),
        test_mode=test_mode,
        reference_id=ids.new_id("key", tag),
        source="merchant_api",
        status=Status.PROCESS_PENDING,
        resolution="ok",
        service="payment_card_usd_hpp",
        service_method="payment_card",
        service_flow="hpp",
        service_currency="USD",
        payment_flow="charge",
        currency="USD",
        amount=12345,
        payment_amount=12345,
        fee=0,
        deposit=12345,
        attempts_max=5,
        created_at=now,
        updated_at=now,
        expires_at=now + timedelta(minutes=30),
    )
    created = Event(kind="invoice.created", by="merchant")
    change = Change(before=None, after=Snapshot(invoice=invoice, payment=None), at=now, event=created)
    return (await carry_out(platform.pool, change, None)).invoice
