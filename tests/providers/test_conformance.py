from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

import pytest

from kassa.config import Settings
from kassa.providers.conformance import (
    CancellationConformance,
    CardProviderConformance,
    DisputeConformance,
    Ending,
    RedirectProviderConformance,
    ReturnConformance,
    StatementConformance,
)
from kassa.providers.protocol import Card, Credentials, Provider, Redirect
from kassa.providers.registry import Registry
from tests.support import bank as banks
from tests.support import merchant as merchants
from tests.support.bank import MERCHANT_ID, SECRET, Bank, query_of
from tests.support.merchant import Merchant

CARDS: Mapping[Ending, str] = {
    "accepted": "5519283812030000",
    "declined": "4302912837020000",
    "accepted after 3-D Secure": "5123817234060000",
    "declined after 3-D Secure": "4412397212080000",
}


class BankDriver:
    """The bank of the test world on a real port, a payer, and the receiver of the notifications."""

    return_url = "http://shop.example/back"
    wallets: ClassVar[Mapping[str, Mapping[str, str]]] = {"qiwi": {"phone": "+380987654321"}, "applepay": {}}
    """One that is entered by a form, and one by its address."""

    def __init__(self, bank: Bank, notices: Merchant) -> None:
        self.provider = provider_at(bank.url, bank)
        self.unreachable = provider_at("http://127.0.0.1:9", bank)
        self.credentials = credentials(SECRET)
        self.wrong_credentials = credentials("not-the-secret")
        self.notify_url = notices.url
        self._bank = bank
        self._notices = notices

    def card(self, ending: Ending) -> Card:
        return Card(number=CARDS[ending], expiry_month=5, expiry_year=2029, cvv="123")

    async def visit(self, redirect: Redirect, *, approve: bool) -> Mapping[str, str]:
        page = await self._bank.enter(redirect.action, redirect.method, redirect.params)
        return query_of(await self._bank.decide(page, "approve" if approve else "decline"))

    async def charge_back(self, payment_id: str, amount: int) -> tuple[Mapping[str, str], bytes]:
        await self._bank.charge_back(payment_id, f"{amount / 100:.2f}")
        _, charged = await self._bank.call("GET", f"/purchases/{payment_id}")
        notice = await self._notices.wait_for(lambda each: bool(each.document["purchase"] == charged))
        return notice.headers, notice.body

    async def decide_charge_back(self, payment_id: str, *, won: bool) -> tuple[Mapping[str, str], bytes]:
        _, found = await self._bank.call("GET", f"/purchases/{payment_id}")
        transaction = next(each["transaction"] for each in found["charge_backs"] if each["state"] == "OPEN")
        await self._bank.decide_charge_back(payment_id, transaction, "won" if won else "lost")
        _, decided = await self._bank.call("GET", f"/purchases/{payment_id}")
        notice = await self._notices.wait_for(lambda each: bool(each.document["purchase"] == decided))
        return notice.headers, notice.body

    async def return_refund(self, payment_id: str, refund_id: str) -> tuple[Mapping[str, str], bytes]:
        await self._bank.return_refund(payment_id, refund_id)
        notice = await self._notices.wait_for(lambda each: refund_id.encode() in each.body)
        return notice.headers, notice.body

    async def notification(self, payment_id: str) -> tuple[Mapping[str, str], bytes]:
        notice = await self._notices.wait_for(lambda each: payment_id.encode() in each.body)
        return notice.headers, notice.body


def provider_at(bank_url: str, bank: Bank) -> Provider:
    return Registry.load(Settings(bank_url=bank_url, demo=True), bank.outbound).get("test")


def credentials(secret: str) -> Credentials:
    return Credentials(provider_account_id="pa_1", merchant_id=MERCHANT_ID, test_mode=True, secrets={"secret": secret})


@pytest.fixture(scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BankDriver]:
    async with banks.running(tmp_path_factory.mktemp("bank")) as bank, merchants.listening() as notices:
        yield BankDriver(bank, notices)


class TestTheBank(CardProviderConformance):
    """The provider ``test``, held to what every provider of cards promises."""


class TestTheWallets(RedirectProviderConformance):
    """The provider ``test``, held to what every provider with pages of its own promises."""


class TestTheStatement(StatementConformance):
    """The provider ``test``, held to what every provider with a statement promises."""


class TestTheDisputes(DisputeConformance):
    """The provider ``test``, held to what every provider whose sandbox decides disputes promises."""


class TestTheReturns(ReturnConformance):
    """The provider ``test``, held to what every provider whose sandbox lets refunds come back promises."""


class TestTheCancellations(CancellationConformance):
    """The provider ``test``, held to what every provider that can close an attempt promises."""
