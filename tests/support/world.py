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
from kassa.cardgate.facts import card_facts
from kassa.config import Settings
from kassa.db.pool import Pool
from kassa.invoices.creating.refund_request import RefundRequest
from kassa.invoices.creating.request import CreateInvoice
from kassa.invoices.creating.terms import draft
from kassa.invoices.operations import pay
from kassa.invoices.operations import refund as returns
from kassa.invoices.operations.create import create
from kassa.invoices.operations.expire import Expiring
from kassa.invoices.operations.polling import Polling
from kassa.invoices.operations.refund import RefundPolling, send
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.records import Refund
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots as queries
from kassa.platform import Platform
from kassa.providers.protocol import Card
from kassa.sealing import Root
from kassa.serving.listening import Listener, bind, port_of
from kassa.values import Value
from kassa.work.runner import Job
from tests.support import wire, working
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
            by="ann",
        )

    async def invoice(self, account: Account, **asked: Any) -> Invoice:
        """Create an invoice in test mode."""
        view, created = await self.create(account, **asked)
        assert created
        return view.invoice

    async def create(self, account: Account, **asked: Any) -> tuple[Snapshot, bool]:
        """Create an invoice in test mode, or find that it exists."""
        errors: dict[str, str] = {}
        wanted = CreateInvoice(
            **{
                "reference_id": str(uuid.uuid4()),
                "service": CARD_USD,
                "currency": "USD",
                "amount": Decimal(asked.pop("amount", 100)),
                "test_mode": True,
                **asked,
            }
        )
        invoice, customer = await draft(self.platform, account, wanted, errors, source="merchant_api")
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

    async def begin(self, invoice: Invoice, *, number: int = 1, card: str | None = GOOD) -> Payment:
        """Begin an attempt for which the bank is not asked."""
        route = await self.platform.route(invoice.account_id, invoice.service, test_mode=True)
        assert route is not None
        entered = None if card is None else Card(number=card, expiry_month=12, expiry_year=2030, cvv="123")
        _, payment = await pay.begin(
            self.platform,
            await self.view(invoice),
            attempt_number=number,
            card=None if entered is None else card_facts(self.platform, entered, test_mode=True),
            client_ip="192.0.2.1",
            route=route,
        )
        return payment

    async def open(self, invoice: Invoice) -> Session:
        """Open the payer's page."""
        return await charge.open_session(self.platform, invoice.session_id or "")

    async def view(self, invoice: Invoice) -> Snapshot:
        """Return an invoice as it stands."""
        found = await queries.by_id(self.platform.pool, invoice.invoice_id, account_id=invoice.account_id)
        assert found is not None
        return found

    async def changes(self, invoice: Invoice) -> Changes:
        """Return what became of an invoice; an attempt whose money has to go back has its refund's status."""
        found = (await self.view(invoice)).invoice
        rows = await self.platform.pool.fetch(
            "SELECT coalesce((SELECT r.status FROM refunds r WHERE r.account_id = p.account_id"
            " AND r.payment_id = p.payment_id AND r.reason <> 'requested' ORDER BY r.created_at DESC LIMIT 1),"
            " p.status) AS status FROM payments p WHERE account_id = $1 AND invoice_id = $2 ORDER BY attempt_number",
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
        """Do the worker's polls that are due, for attempts and for money that has to go back; return how many."""
        return await self.poll_attempts(account) + await self._return(account)

    async def poll_attempts(self, account: Account) -> int:
        """Do the worker's polls for attempts that are due, and return how many."""
        return await self._do(Polling(self.platform), account)

    async def _return(self, account: Account) -> int:
        """Take what is not the merchant's and is due, as the worker takes it, and send it back."""
        job, now = RefundPolling(self.platform), self.platform.clock.now(test_mode=True)
        due = await self.fetch(
            "UPDATE refunds SET due_at = $3, polls = polls + 1"
            " WHERE account_id = $1 AND reason <> 'requested' AND due_at <= $2 RETURNING *",
            account.account_id,
            now,
            now + working.lease(job.queue),
        )
        for row in sorted(due, key=lambda row: (row["created_at"], row["refund_id"])):
            await job.run(job.read(row))
        return len(due)

    async def refund(self, invoice: Invoice, amount: int | None = None, reference_id: str | None = None) -> Snapshot:
        """Refund an invoice, all of it or so many units of its currency, as the API does."""
        return await send(self.platform, await self.begin_refund(invoice, amount, reference_id))

    async def begin_refund(
        self, invoice: Invoice, amount: int | None = None, reference_id: str | None = None
    ) -> Refund:
        """Begin a refund, and ask nobody for it yet."""
        account = await self.platform.accounts.by_id(invoice.account_id)
        asked = RefundRequest(
            reference_id=reference_id or str(uuid.uuid4()), amount=None if amount is None else Decimal(amount)
        )
        refund_id = ids.new_id("ref", account.tag)
        snapshot = await self.view(invoice)
        begun, created = await returns.request(self.platform, account, snapshot, asked, refund_id=refund_id)
        assert created
        return begun

    async def ask_about_refunds(self, account: Account) -> int:
        """Do the worker's questions about refunds that are due; return how many."""
        return await self._do(RefundPolling(self.platform), account)

    async def expire(self, account: Account) -> int:
        """Do what invoices are due for, as the worker does: end what is over, release reserves; return how many."""
        return await self._do(Expiring(self.platform), account)

    async def _do(self, job: Job[Any], account: Account) -> int:
        now = self.platform.clock.now(test_mode=True)
        if account.account_id not in await working.due(self.pool, job, now):
            return 0
        claims = await working.taken(self.pool, job, account.account_id, now)
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
        await services.add(self.platform.pool, self.platform.clock, account.account_id, CARD_USD, terms, by="ann")

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
