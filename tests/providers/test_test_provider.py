"""What the test provider makes of a bank that misbehaves, and of times and modes. See also the conformance suite."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from kassa.bank.faults import AMOUNTS, NOTHING_TAKEN, Fault
from kassa.clock import Clock
from kassa.config import Settings
from kassa.errors import BadRequest, KassaError, ProviderGarbled, ProviderSilent, Unauthorized
from kassa.outbound import Outbound
from kassa.providers import test
from kassa.providers.protocol import (
    Absent,
    Accepted,
    Attempt,
    Card,
    Charge,
    Credentials,
    Declined,
    Notice,
    Pending,
    Provider,
    Redirect,
)
from tests.support import bank as banks
from tests.support.waiting import until

CARD = Card(number="5519283812030000", expiry_month=12, expiry_year=2030, cvv="123", holder="A PAYER")
CREDENTIALS = Credentials(
    provider_account_id="pa_1", merchant_id=banks.MERCHANT_ID, test_mode=True, secrets={"secret": banks.SECRET}
)
CHARGE = Charge(
    payment_id="pay_1",
    method="payment_card",
    amount=1000,
    currency="EUR",
    description="Tea " * 1000,
    fields={},
    return_url="http://shop.example/back",
    notify_url="http://127.0.0.1:9/notices",
    expires_at=Clock.real() + timedelta(minutes=30),
    client_ip="192.0.2.1",
)
ATTEMPT = Attempt(payment_id="pay_1", external_id=None)

PURCHASE: dict[str, Any] = {
    "order": "pay_1",
    "transaction": "t1",
    "state": "APPROVED",
    "amount": 1000,
    "currency": "EUR",
    "response": {"code": "00"},
    "authentication": None,
    "rrn": "700000000001",
    "approval_code": "AB12CD",
}

WALLET: dict[str, Any] = {"path": "/wallets", "method": "POST", "params": {"bill": "b1"}}

Answering = Callable[[int, bytes], Awaitable[Provider]]


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound(Settings(demo=True)) as opened:
        yield opened


def provider_at(url: str, outbound: Outbound, **changed: Any) -> Provider:
    provider = test.provider(Settings(bank_url=url, demo=True, **changed), outbound)
    assert provider is not None
    return provider


@pytest.fixture
async def answering(outbound: Outbound) -> AsyncIterator[Answering]:
    """Make a provider whose bank answers everything with one status and body."""
    runners: list[web.AppRunner] = []

    async def make(status: int, body: bytes) -> Provider:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, body=body)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return provider_at(f"http://127.0.0.1:{runner.addresses[0][1]}", outbound)

    yield make
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize(
    "status,body",
    [
        (500, b""),
        (502, b"<html>Bad gateway</html>"),
        (503, msgspec.json.encode(PURCHASE)),
        (302, b""),
        (409, b'{"error": {"status": 409}}'),
        (200, b""),
        (200, b"<html>"),
        (200, b"{}"),
        (200, b"\xff" * 100),
        (200, b" " * 100_000),
        (200, msgspec.json.encode(PURCHASE | {"state": "TAKEN"})),
        (200, msgspec.json.encode(PURCHASE | {"amount": "1000"})),
        (200, msgspec.json.encode(PURCHASE | {"order": "pay_2"})),
        (200, msgspec.json.encode(PURCHASE | {"state": "AUTHENTICATING"})),
        (200, msgspec.json.encode(PURCHASE | {"state": "AUTHENTICATING", "authentication": {"path": "@evil.example"}})),
        (200, msgspec.json.encode(PURCHASE | {"state": "CONFIRMING"})),
        (
            200,
            msgspec.json.encode(PURCHASE | {"state": "CONFIRMING", "confirmation": WALLET | {"path": "@evil.example"}}),
        ),
        (200, msgspec.json.encode(PURCHASE | {"state": "CONFIRMING", "confirmation": WALLET | {"method": "PUT"}})),
        (200, msgspec.json.encode(PURCHASE | {"state": "CONFIRMING", "confirmation": WALLET | {"params": {"a": 1}}})),
    ],
)
async def test_an_answer_that_says_nothing_certain_is_garbled(answering: Answering, status: int, body: bytes) -> None:
    provider = await answering(status, body)
    with pytest.raises(ProviderGarbled) as garbled:
        await provider.pay(CREDENTIALS, CHARGE, CARD)
    assert_tells_no_secret(garbled.value)
    with pytest.raises(ProviderGarbled):
        await provider.status(CREDENTIALS, ATTEMPT)


async def test_an_answer_about_another_transaction_is_garbled(answering: Answering) -> None:
    provider = await answering(200, msgspec.json.encode(PURCHASE))
    with pytest.raises(ProviderGarbled):
        await provider.status(CREDENTIALS, Attempt(payment_id="pay_1", external_id="t2"))


@pytest.mark.parametrize("status", [400, 401, 403, 413])
async def test_a_request_that_the_bank_did_not_take_is_declined_but_a_question_stays_open(
    answering: Answering, status: int
) -> None:
    provider = await answering(status, b'{"error": {}}')
    assert await provider.pay(CREDENTIALS, CHARGE, CARD) == Declined(external_id=None, resolution="provider_error")
    with pytest.raises(ProviderGarbled):
        await provider.status(CREDENTIALS, ATTEMPT)


async def test_a_response_code_that_nobody_told_us_about_is_a_general_decline(answering: Answering) -> None:
    refused = PURCHASE | {"state": "REFUSED", "response": {"code": "Z9"}}
    provider = await answering(200, msgspec.json.encode(refused))
    assert await provider.pay(CREDENTIALS, CHARGE, CARD) == Declined(external_id="t1", resolution="general_decline")


async def test_a_connection_cut_before_the_answer_is_silence(outbound: Outbound) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        provider = provider_at(f"http://{host}:{port}", outbound)
        with pytest.raises(ProviderSilent) as silent:
            await provider.pay(CREDENTIALS, CHARGE, CARD)
        assert_tells_no_secret(silent.value)


async def test_a_bank_that_never_answers_is_silence(outbound: Outbound) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(ProviderSilent):
            await provider_at(f"http://{host}:{port}", outbound, provider_seconds=0.2).pay(CREDENTIALS, CHARGE, CARD)


@pytest.mark.parametrize(
    "fault, error",
    [
        (Fault.SILENT_BEFORE, ProviderSilent),
        (Fault.SILENT_AFTER, ProviderSilent),
        (Fault.DRIP, ProviderSilent),
        (Fault.FAILS_BEFORE, ProviderGarbled),
        (Fault.FAILS_AFTER, ProviderGarbled),
        (Fault.GARBAGE, ProviderGarbled),
        (Fault.HUGE, ProviderGarbled),
    ],
)
async def test_with_a_fault_nothing_is_known(
    outbound: Outbound, tmp_path: Path, fault: Fault, error: type[KassaError]
) -> None:
    amount = next(minor for minor, chosen in AMOUNTS.items() if chosen is fault)
    async with banks.running(tmp_path) as bank:
        hasty = provider_at(bank.url, outbound, provider_seconds=2.0 if error is ProviderSilent else 60)
        with pytest.raises(error):
            await hasty.pay(CREDENTIALS, msgspec.structs.replace(CHARGE, amount=amount, description="Tea"), CARD)
        asked = await provider_at(bank.url, outbound).status(CREDENTIALS, ATTEMPT)
    assert isinstance(asked, Absent if fault in NOTHING_TAKEN else Accepted)


async def test_of_a_huge_answer_no_more_is_taken_than_the_line_holds(outbound: Outbound, tmp_path: Path) -> None:
    amount = next(minor for minor, chosen in AMOUNTS.items() if chosen is Fault.HUGE)
    async with banks.running(tmp_path) as bank:
        with pytest.raises(ProviderGarbled):
            await provider_at(bank.url, outbound).pay(CREDENTIALS, msgspec.structs.replace(CHARGE, amount=amount), CARD)

        async def sent() -> int:
            async with bank.session.get(f"{bank.url}/days") as shown:
                return int((await shown.json())["huge_bytes_sent"])

        # 64 KiB are read, the rest is what two sockets' buffers can hold.
        assert 64 * 1024 <= await until(sent, what="the bank to have been hung up on") < 16 * 1024 * 1024


async def test_live_credentials_and_a_missing_card_take_no_money(outbound: Outbound) -> None:
    provider = provider_at("http://127.0.0.1:9", outbound)
    live = msgspec.structs.replace(CREDENTIALS, test_mode=False)
    assert await provider.pay(live, CHARGE, CARD) == Declined(external_id=None, resolution="routing_error")
    assert await provider.pay(CREDENTIALS, CHARGE, None) == Declined(external_id=None, resolution="invalid_details")


async def test_the_expiry_of_a_failing_card_and_an_unknown_card_tell_why(outbound: Outbound, tmp_path: Path) -> None:
    async with banks.running(tmp_path) as bank:
        provider = provider_at(bank.url, outbound)
        resolutions: list[str] = []
        for number, month, year in (
            ("4302912837020000", 5, 2029),
            ("4302912837020000", 8, 2056),
            ("4111111111111111", 1, 2030),
        ):
            charge = msgspec.structs.replace(CHARGE, payment_id=f"pay_{len(resolutions)}")
            card = Card(number=number, expiry_month=month, expiry_year=year, cvv="000")
            outcome = await provider.pay(CREDENTIALS, charge, card)
            assert isinstance(outcome, Declined)
            resolutions.append(outcome.resolution)
        assert resolutions == ["insufficient_funds", "access_denied", "invalid_card"]


async def test_a_good_card_with_07_77_stays_pending_and_can_succeed_late(outbound: Outbound, tmp_path: Path) -> None:
    async with banks.running(tmp_path) as bank:
        provider = provider_at(bank.url, outbound)
        card = msgspec.structs.replace(CARD, expiry_month=7, expiry_year=2077)
        outcome = await provider.pay(CREDENTIALS, CHARGE, card)
        assert isinstance(outcome, Pending)
        assert await provider.status(CREDENTIALS, ATTEMPT) == outcome
        bank.clock.test_offset += timedelta(days=2)
        await bank.session.post(f"{bank.url}/desk/{banks.MERCHANT_ID}/pay_1", data={"decision": "approve"})
        late = await provider.status(CREDENTIALS, ATTEMPT)
        assert (type(late).__name__, getattr(late, "amount", None)) == ("Accepted", 1000)


async def test_a_payer_who_is_too_late_for_3d_secure_is_declined(outbound: Outbound, tmp_path: Path) -> None:
    async with banks.running(tmp_path) as bank:
        provider = provider_at(bank.url, outbound)
        redirect = await provider.pay(CREDENTIALS, CHARGE, msgspec.structs.replace(CARD, number="5123817234060000"))
        assert isinstance(redirect, Redirect)
        assert redirect.action.startswith(f"{bank.url}/acs/")
        bank.clock.test_offset += timedelta(minutes=30)
        await bank.decide(redirect.action, "approve")
        assert await provider.status(CREDENTIALS, ATTEMPT) == Declined(
            external_id=redirect.external_id, resolution="transaction_expired"
        )


@pytest.mark.parametrize("age_seconds,genuine", [(0, True), (290, True), (310, False), (-290, True), (-310, False)])
async def test_a_notice_is_believed_for_five_minutes(outbound: Outbound, age_seconds: int, *, genuine: bool) -> None:
    provider = provider_at("http://127.0.0.1:9", outbound)
    body = msgspec.json.encode({"event": "purchase.approved", "purchase": PURCHASE})
    headers = signed(body, timestamp=str(int(Clock.real().timestamp()) - age_seconds))
    if genuine:
        assert provider.receive(CREDENTIALS, headers, body) == Notice(payment_id="pay_1")
    else:
        with pytest.raises(Unauthorized):
            provider.receive(CREDENTIALS, headers, body)


async def test_a_signed_notice_that_cannot_be_read_is_a_bad_request(outbound: Outbound) -> None:
    provider = provider_at("http://127.0.0.1:9", outbound)
    for body in (b"", b"[]", b'{"purchase": {}}'):
        with pytest.raises(BadRequest):
            provider.receive(CREDENTIALS, signed(body, timestamp=str(int(Clock.real().timestamp()))), body)
    with pytest.raises(Unauthorized):
        provider.receive(CREDENTIALS, signed(b"{}", timestamp="yesterday"), b"{}")


def signed(body: bytes, *, timestamp: str) -> dict[str, str]:
    text = f"ntf-1.{timestamp}.".encode() + body
    signature = hmac.new(banks.SECRET.encode(), text, hashlib.sha256).hexdigest()
    return {"Bank-Notification-Id": "ntf-1", "Bank-Timestamp": timestamp, "Bank-Signature": signature}


def assert_tells_no_secret(error: KassaError) -> None:
    text = f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
    assert CARD.number not in text
    assert banks.SECRET not in text
