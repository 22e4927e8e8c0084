"""A platform as `kassa.app` opens it, on a test's own database, with the real bank at the other end of a line."""

import base64
import socket
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from kassa import app, ids
from kassa.accounts import operations as accounts
from kassa.accounts.model import Account, NewAccount
from kassa.accounts.operations import BANK_MERCHANT_ID, bank_merchant_secret
from kassa.accounts.services import operations as services
from kassa.accounts.services import queries as services_queries
from kassa.cardgate import charge
from kassa.cardgate.charge import Session
from kassa.cli.listening import Listener, bind, port_of
from kassa.config import Settings
from kassa.db.pool import Pool
from kassa.invoices import queries
from kassa.invoices.asked import Asked
from kassa.invoices.asking import Asking
from kassa.invoices.creation import create
from kassa.invoices.due import Due
from kassa.invoices.model import Invoice
from kassa.invoices.queries import View
from kassa.invoices.returns import operations as returns
from kassa.invoices.returns.asked import AskedRefund
from kassa.invoices.returns.asking import AskingRefunds, send
from kassa.invoices.terms import draw_up
from kassa.platform import Platform
from kassa.providers.protocol import Card, Value
from kassa.refunds.model import Refund
from kassa.sealing import Root
from tests.support import wire
from tests.support.api import CARD_USD
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.wire import Wire

GOOD: Final = "5519283812030000"
GOOD_SECURE: Final = "5123817234060000"
BAD: Final = "4302912837020000"
BAD_SECURE: Final = "4412397212080000"

_NOWHERE: Final = "http://127.0.0.1:9"


class Changes(Value, frozen=True, kw_only=True):
    """What became of an invoice: its status, why, and each attempt's status in their order."""

    status: str
    resolution: str
    attempts: list[str]


@dataclass(frozen=True, kw_only=True)
class World:
    """Kassa without its servers and its worker: tests call the operations and the jobs themselves."""

    platform: Platform
    wire: Wire
    session: aiohttp.ClientSession
    bank_url: str

    @property
    def pool(self) -> Pool:
        """Kassa's own connections."""
        return self.platform.pool

    @property
    def root(self) -> Root:
        """Kassa's root of secrets."""
        return self.platform.root

    async def fetch(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Return rows of the database."""
        return [dict(row) for row in await self.pool.fetch(statement, *values)]

    async def account(self, *, services: Sequence[str] = (CARD_USD,), **options: str) -> Account:
        """Add an account that takes cards, or has other services."""
        return (await self.new_account(services=services, **options)).account

    async def new_account(self, *, services: Sequence[str] = (CARD_USD,), **options: str) -> NewAccount:
        """Add an account that takes cards, or has other services, and return it with its keys."""
        platform = self.platform
        return await accounts.create(
            platform.pool,
            platform.root,
            platform.clock,
            name="Shop",
            currency="EUR",
            services=services,
            set_options=options,
        )

    async def invoice(self, account: Account, **asked: Any) -> Invoice:
        """Create an invoice in test mode."""
        view, created = await self.create(account, **asked)
        assert created
        return view.invoice

    async def create(self, account: Account, **asked: Any) -> tuple[View, bool]:
        """Create an invoice in test mode, or find that it exists."""
        errors: dict[str, str] = {}
        wanted = Asked(
            **{
                "reference_id": str(uuid.uuid4()),
                "service": CARD_USD,
                "currency": "USD",
                "amount": Decimal(asked.pop("amount", 100)),
                "test_mode": True,
                **asked,
            }
        )
        invoice, customer = await draw_up(self.platform, account, wanted, errors, source="merchant_api")
        return await create(self.platform, account, invoice, customer, client_ip="192.0.2.1")

    async def pay(
        self,
        invoice: Invoice,
        *,
        number: int = 1,
        card: str = GOOD,
        expiry: str = "12/30",
        client_ip: str = "192.0.2.1",
    ) -> None:
        """Pay as the card page does."""
        month, _, year = expiry.partition("/")
        sent = Card(number=card, expiry_month=int(month), expiry_year=2000 + int(year), cvv="123")
        await charge.pay(self.platform, await self.open(invoice), number=number, card=sent, client_ip=client_ip)

    async def open(self, invoice: Invoice) -> Session:
        """Open the payer's page."""
        return await charge.open_session(self.platform, invoice.session_id or "")

    async def view(self, invoice: Invoice) -> View:
        """Return an invoice as it stands."""
        found = await queries.by_id(self.platform.pool, invoice.invoice_id, account_id=invoice.account_id)
        assert found is not None
        return found

    async def changes(self, invoice: Invoice) -> Changes:
        """Return what became of an invoice."""
        found = (await self.view(invoice)).invoice
        rows = await self.platform.pool.fetch(
            "SELECT status FROM payments WHERE account_id = $1 AND invoice_id = $2 ORDER BY number",
            invoice.account_id,
            invoice.invoice_id,
        )
        return Changes(status=found.status, resolution=found.resolution, attempts=[row["status"] for row in rows])

    async def told(self, invoice: Invoice) -> list[str]:
        """Return the statuses of the callbacks that were queued for an invoice, oldest first."""
        rows = await self.platform.pool.fetch(
            "SELECT invoice_status FROM callbacks WHERE account_id = $1 AND invoice_id = $2 ORDER BY logged_at",
            invoice.account_id,
            invoice.invoice_id,
        )
        return [row["invoice_status"] for row in rows]

    def move_clock(self, **step: float) -> None:
        """Move test mode on in time."""
        self.platform.clock.test_offset += timedelta(**step)

    async def ask(self, account: Account) -> int:
        """Do the worker's questions that are due; return how many."""
        return await self._do(Asking(self.platform), account)

    async def refund(self, invoice: Invoice, amount: int | None = None, reference_id: str | None = None) -> View:
        """Refund an invoice, all of it or so many units of its currency, as the API does."""
        return await send(self.platform, await self.begin_refund(invoice, amount, reference_id))

    async def begin_refund(
        self, invoice: Invoice, amount: int | None = None, reference_id: str | None = None
    ) -> Refund:
        """Begin a refund, and ask nobody for it yet."""
        account = await self.platform.accounts.by_id(invoice.account_id)
        asked = AskedRefund(
            reference_id=reference_id or str(uuid.uuid4()), amount=None if amount is None else Decimal(amount)
        )
        refund_id = ids.new_id("ref", account.tag)
        begun, created = await returns.begin(self.platform, account, invoice, asked, refund_id=refund_id)
        assert created
        return begun

    async def ask_about_refunds(self, account: Account) -> int:
        """Do the worker's questions about refunds that are due; return how many."""
        return await self._do(AskingRefunds(self.platform), account)

    async def expire(self, account: Account) -> int:
        """Do what invoices are due for, as the worker does: end what is over, release reserves; return how many."""
        return await self._do(Due(self.platform), account)

    async def _do(self, job: Asking | AskingRefunds | Due, account: Account) -> int:
        now = self.platform.clock.now(test_mode=True)
        due = await job.due_accounts(now, test_mode=True)
        if account.account_id not in due:
            return 0
        claims: list[Any] = await job.claim(account.account_id, now, test_mode=True, limit=10)
        for claim in claims:
            await job.run(claim)
        return len(claims)

    async def statement(self) -> list[dict[str, Any]]:
        """Return the bank's books: what was taken and given back, one line a movement."""
        secret = bank_merchant_secret(self.platform.root)
        token = base64.b64encode(f"{BANK_MERCHANT_ID}:{secret}".encode()).decode()
        lines: list[dict[str, Any]] = []
        place: str | None = ""
        while place is not None:
            async with self.session.get(
                f"{self.bank_url}/statement", params={"after": place}, headers={"Authorization": f"Basic {token}"}
            ) as answer:
                document = await answer.json()
            lines += document["lines"]
            place = document["next"]
        return lines

    async def decide(self, payment_id: str, decision: str) -> None:
        """Let a person at the bank's desk decide what the issuer left open."""
        address = f"{self.bank_url}/desk/{BANK_MERCHANT_ID}/{payment_id}"
        async with self.session.post(address, data={"decision": decision}, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()

    async def charge_back(self, payment_id: str, amount: str = "") -> None:
        """Let the payer's bank take money back: an amount, or all of it."""
        address = f"{self.bank_url}/desk/{BANK_MERCHANT_ID}/{payment_id}/charge-back"
        async with self.session.post(address, data={"amount": amount}, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()

    async def set_terms(self, account: Account, **terms: str) -> None:
        """Change the terms on which an account takes cards."""
        await services.add(self.platform.pool, self.platform.clock, account.account_id, CARD_USD, terms)

        async def known() -> bool:
            service = await self.platform.accounts.service(account.account_id, CARD_USD)
            written = await services_queries.service(self.platform.pool, account_id=account.account_id, code=CARD_USD)
            return service == written

        await until(known, what="the terms")

    async def until_waiting(self) -> None:
        """Wait until a statement waits for a lock."""

        async def waits() -> bool:
            rows = await self.platform.pool.fetch(
                "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE NOT granted AND datname = current_database()"
            )
            return bool(rows)

        await until(waits, what="a statement that waits")

    async def press(self, action: str, decision: str) -> None:
        """Press a button on the payer's page: the issuer's for 3-D Secure, or a wallet's."""
        async with self.session.post(action, data={"decision": decision}, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()


@asynccontextmanager
async def opened(database: Database, home: Path, **changes: object) -> AsyncIterator[World]:
    """Open a platform on a database, with a bank whose books are in ``home``; ``changes`` are to its settings."""
    listening: socket.socket = bind("127.0.0.1", 0, "the bank's port")
    bank_url = f"http://127.0.0.1:{port_of(listening)}"
    async with wire.laid(bank_url) as line, aiohttp.ClientSession() as session:
        settings = Settings(
            home=str(home), demo=True, base_url=_NOWHERE, gate_url="http://gate.test", bank_url=line.url
        )
        settings = msgspec.structs.replace(settings, **changes)
        async with app.open_platform(settings, database.url) as platform:
            bank = Listener(app.bank_app(platform), listening, finish_seconds=1, lifespan=True)
            await bank.start()
            try:
                yield World(platform=platform, wire=line, session=session, bank_url=bank_url)
            finally:
                await bank.stop()
                listening.close()
