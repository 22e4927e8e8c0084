"""The kill rig: lives a payment through, with Kassa killed at a place that it reaches, and compares the books after.

Merchant and payer are honest: whoever got no answer asks again by his own reference, or reloads his page.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp

from kassa import failpoints
from kassa.accounts.operations import BANK_MERCHANT_ID
from kassa.accounts.services import operations as services
from kassa.db.pool import is_unavailable
from kassa.errors import DatabaseUnavailable
from tests.support import books
from tests.support.api import INVOICES, Answer, Client
from tests.support.life import Creators
from tests.support.life import Life as Kassa
from tests.support.merchant import Merchant
from tests.support.visitor import Page, Visitor
from tests.support.waiting import until
from tests.torture.lives import Life

T = TypeVar("T")

PACE_SECONDS: Final = 40
"""Past every lease, and past what a bank may take to be asked about."""
NEVER: Final = 1_000_000
"""More places than any life reaches."""
LIFETIME_SECONDS: Final = 31 * 60
OPEN: Final = {"created", "process_pending"}
WAITING: Final = (["Waiting for your bank"], ["Waiting for the payment service"], ["Not paid yet"])
_BROKEN: Final = (aiohttp.ClientError, OSError, TimeoutError, DatabaseUnavailable)


@dataclass(frozen=True, kw_only=True)
class Lived:
    """A life that is over."""

    life: Life
    shop: Client
    asked: dict[str, str]
    invoice_id: str


@dataclass(kw_only=True)
class Rig:
    """One Kassa, which dies where it is told and is started again."""

    kassa: Kassa
    merchant: Merchant
    payer: Visitor
    orders: Path
    patience_seconds: float = 90
    """How long a life may take; where nobody is left alone for more than a moment, far longer."""
    deaths: int = 0
    left: int = 0
    """How many places more the last life would have had to reach for a death."""
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reached(self, life: Life) -> int:
        """Live a life through, and return how many places it reaches at which it could die."""
        assert not await self.live(life, NEVER)
        return NEVER - self.left

    async def live(self, life: Life, times: int) -> bool:
        """Live a life through with a death at the ``times``-th place; return whether it came to that.

        Raises ``AssertionError`` where anything was lost or taken twice.
        """
        self.orders.unlink(missing_ok=True)
        await self._alive()
        shop = await self.shop(life)
        before = self.deaths
        failpoints.order(self.orders, times)
        try:
            await self._live(life, shop)
            self.left = int(self.orders.read_text()) if self.orders.exists() else 0
        finally:
            self.orders.unlink(missing_ok=True)
        return self.deaths > before

    async def shop(self, life: Life) -> Client:
        """Add an account for a life."""
        office = self.kassa.office
        options = {"moderation_by_api": "true", **dict(life.options)}
        made = await office.account(services=[life.service], callback_url=self.merchant.url, **options)
        if life.reserve:
            terms = {"fee_rate": "2.5", "reserve_rate": "10", "reserve_lifetime": "60"}
            await services.add(office.pool, office.clock, made.keys.id, life.service, terms, by="ann")
        return made

    async def _live(self, life: Life, shop: Client) -> None:
        lived = await self.through(life, shop)
        await self.quiet(shop)
        await self.found(lived)

    async def through(self, life: Life, shop: Client) -> Lived:
        """Live a life through, whatever happens meanwhile."""
        asked = {"reference_id": str(uuid.uuid4()), "service": life.service, "flow": life.flow}
        created = await self.patiently(lambda: self._shop(shop).create(**asked), statuses={201, 409})
        lived = Lived(life=life, shop=shop, asked=asked, invoice_id=created.document["data"]["id"])
        ended = partial(self._moved, life, shop, lived.invoice_id)
        await until(ended, seconds=self.patience_seconds, what=f"the end of {life.name}")
        if life.verdict is not None:
            await self._decide(lived, life.verdict)
        await self._give_back(lived)
        if life.reserve:
            await until(lambda: self._released(lived), seconds=60, what="the reserve's release")
        return lived

    async def _give_back(self, lived: Lived) -> None:
        """Send back what the merchant does, and take back what the bank does; each once."""
        life, reference = lived.life, lived.asked["reference_id"]
        for number, amount in enumerate(life.refunds, 1):
            changes = {"reference_id": f"{reference} {number}", "amount": amount}
            send = partial(self._refund, lived, changes)
            await self.patiently(send, statuses={200, 409})
        if life.charge_back is not None:
            await self.patiently(lambda: self._charge_back(lived, str(life.charge_back)))
            await until(lambda: self._charged_back(lived), seconds=30, what="the charge-back")

    async def _decide(self, lived: Lived, verdict: str) -> None:
        """Decide on what is held; 409 tells whoever asks again that it is decided."""
        address = f"{INVOICES}/{lived.invoice_id}/{verdict}"
        await self.patiently(lambda: self._shop(lived.shop).call("POST", address), statuses={200, 409})

    async def _refund(self, lived: Lived, changes: dict[str, Any]) -> Answer:
        return await self._shop(lived.shop).refund(lived.invoice_id, **changes)

    async def _charged_back(self, lived: Lived) -> bool:
        found = (await self.patiently(lambda: self._shop(lived.shop).read(lived.invoice_id))).attributes
        if found["charged_back"] is not None:
            return True
        await self.patiently(lambda: self.kassa.advance(seconds=PACE_SECONDS))
        return False

    async def _charge_back(self, lived: Lived, amount: str) -> None:
        office, bank_url = self.kassa.office, self.kassa.serving.served.bank_url
        lines = await books.taken_for(office, bank_url, lived.invoice_id)
        if any(line["kind"] == "CHARGE_BACK" for line in lines):
            return
        order = next(line["order"] for line in lines if line["kind"] == "PURCHASE")
        address = f"{bank_url}/desk/{BANK_MERCHANT_ID}/{order}/charge-back"
        async with office.session.post(address, data={"amount": amount}, allow_redirects=False):
            pass

    async def _released(self, lived: Lived) -> bool:
        found = (await self.patiently(lambda: self._shop(lived.shop).read(lived.invoice_id))).attributes
        if found["unreserved"] or not any(each["left"] for each in found["reserves"]):
            return True
        await self.patiently(lambda: self.kassa.advance(seconds=LIFETIME_SECONDS))
        return False

    async def found(self, lived: Lived) -> None:
        """Check how a life ended, that its merchant knows, and that his reference stands for it for ever."""
        life = lived.life
        found = (await self.patiently(lambda: self._shop(lived.shop).read(lived.invoice_id))).attributes
        assert found["status"] in life.ends, (found["status"], found["resolution"], life.name)
        await self._told(lived.invoice_id, found["status"])
        again = await self.patiently(lambda: self._shop(lived.shop).create(**lived.asked), statuses={409})
        assert again.document["data"]["id"] == lived.invoice_id

    async def kept(self, creators: Creators) -> None:
        """Check that what creators were acknowledged is there, under the same id, and that nothing is there twice."""
        shop = self._shop(creators.shop)
        assert await self.patiently(lambda: creators.again(shop)) <= {HTTPStatus.CREATED, HTTPStatus.CONFLICT}
        statement = "SELECT reference_id, invoice_id FROM invoices WHERE account_id = $1"
        rows = await self.patiently(lambda: self.kassa.office.fetch(statement, shop.keys.id))
        there = {row["reference_id"]: row["invoice_id"] for row in rows}
        lost = creators.acknowledged.items() - there.items()
        assert not lost, f"{len(lost)} that were acknowledged are lost: {sorted(lost)[:10]}"
        assert there.keys() == creators.acknowledged.keys() | set(creators.unanswered)
        assert len(rows) == len(there)

    async def _moved(self, life: Life, shop: Client, invoice_id: str) -> bool:
        """Do the next thing that somebody would do; return whether all is over."""
        found = (await self.patiently(lambda: self._shop(shop).read(invoice_id))).attributes
        if found["status"] not in OPEN and not (life.late and await self._left_open(invoice_id)):
            return True
        nobody_pays = not life.cards and life.service.startswith("payment_card")
        if nobody_pays:
            await self.patiently(lambda: self.kassa.advance(seconds=LIFETIME_SECONDS))
        elif not await self._paid(life, found):
            await self.patiently(lambda: self._pass_time(life, invoice_id))
        return False

    async def _paid(self, life: Life, found: dict[str, Any]) -> bool:
        """Go to the page and press what is there; return whether there was anything."""
        form = found["flow_data"]
        if found["status"] not in OPEN or form is None:
            return False
        try:
            page = await self.payer.open(form["action"])
            while step := _step(life, page):
                page = await step(self.payer, page)
        except _BROKEN:
            await self._alive()
            return True
        return page.headings[:1] not in WAITING

    async def _left_open(self, invoice_id: str) -> bool:
        rows = await self.patiently(
            lambda: self.kassa.office.fetch(
                "SELECT payment_id FROM payments WHERE invoice_id = $1 AND status = 'process_pending'", invoice_id
            )
        )
        return bool(rows)

    async def _pass_time(self, life: Life, invoice_id: str) -> None:
        office = self.kassa.office
        if life.late:
            await self.kassa.advance(seconds=LIFETIME_SECONDS)
        if life.desk is not None:
            for row in await office.fetch("SELECT payment_id FROM payments WHERE invoice_id = $1", invoice_id):
                address = f"{self.kassa.serving.served.bank_url}/desk/{BANK_MERCHANT_ID}/{row['payment_id']}"
                async with office.session.post(address, data={"decision": life.desk}, allow_redirects=False):
                    pass
        await self.kassa.advance(seconds=PACE_SECONDS)

    async def quiet(self, *shops: Client) -> None:
        """Let time pass until nothing waits for any of all the shops that live, and compare the books."""

        async def quiet() -> bool:
            if all([await books.quiet(self.kassa.office, shop.keys.id) for shop in shops]):
                return True
            await self.kassa.advance(seconds=PACE_SECONDS)
            return False

        async def differences() -> list[str]:
            return await books.differences(self.kassa.office, self.kassa.serving.served.bank_url)

        await until(lambda: self.patiently(quiet), seconds=60, what="quiet")
        assert await self.patiently(differences) == []

    async def _told(self, invoice_id: str, status: str) -> None:
        def heard() -> bool:
            sought = invoice_id.encode()
            documents = [each.document["data"] for each in self.merchant.received if sought in each.body]
            return (invoice_id, status) in {(each["id"], each["attributes"]["status"]) for each in documents}

        await until(heard, what=f"the callback with {status}")

    def _shop(self, shop: Client) -> Client:
        return self.kassa.office.client(shop.keys)

    async def patiently(self, call: Callable[[], Awaitable[T]], *, statuses: set[int] | None = None) -> T:
        """Return what a call brings, made again for as long as Kassa or its database is away."""
        results: list[T] = []

        async def tried() -> bool:
            try:
                await self._alive()
                result = await call()
            except _BROKEN:
                return False
            except Exception as error:
                if not is_unavailable(error):
                    raise
                return False
            if getattr(result, "status", HTTPStatus.OK) == HTTPStatus.SERVICE_UNAVAILABLE:
                return False
            results.append(result)
            return True

        await until(tried, seconds=30, what="Kassa's return")
        status = getattr(results[0], "status", HTTPStatus.OK)
        assert statuses is None or status in statuses, (status, getattr(results[0], "text", ""))
        return results[0]

    def _dead(self) -> bool:
        return self.kassa.serving.process.returncode is not None

    async def _alive(self) -> None:
        """Start Kassa again if it has died; it may be told to die while it starts."""
        async with self._starting:
            while not self.kassa.started or self._dead():
                self.deaths += self.kassa.started
                ordered = self.orders.exists()
                try:
                    await self.kassa.start()
                except Exception:
                    if self.orders.exists() or not ordered:
                        raise


def _step(life: Life, page: Page) -> Callable[[Visitor, Page], Awaitable[Page]] | None:
    """Return what a payer does with a page, or None where there is nothing to do but to wait."""
    if page.forms and "card_number" in page.form.fields:
        attempt = int(page.form.fields["number"])
        if attempt > len(life.cards):
            return None
        number, expiry = life.cards[attempt - 1]
        return lambda payer, form: payer.press(form, card_number=number, expiry=expiry, cvc="123")
    if page.forms and page.form.buttons:
        return lambda payer, form: payer.press(form, life.decision)
    if page.headings[:1] == ["Nothing more to confirm"]:
        return lambda payer, shown: payer.follow(shown, "Back to the shop")
    if page.cancel is not None and life.decision == "abandon":
        return lambda payer, shown: payer.give_up(shown)
    if "Continue to your bank" in page.links:
        return lambda payer, shown: payer.follow(shown, "Continue to your bank")
    return None
