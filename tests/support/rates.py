"""Fake banks that publish exchange rates in their real formats, and rates for tests."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import msgspec
from aiohttp import web

from kassa.db.pool import Pool
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.platform import Platform
from kassa.rates import operations
from kassa.rates.model import Quote
from tests.support import sessions
from tests.support.waiting import until

DAY: Final = date(2026, 11, 24)


def ecb(rates: Mapping[str, str], day: date = DAY) -> bytes:
    """Return ``eurofxref-daily.xml``."""
    cubes = "".join(f"<Cube currency='{code}' rate='{rate}'/>" for code, rate in rates.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"'
        ' xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">'
        f"<gesmes:subject>Reference rates</gesmes:subject><Cube><Cube time='{day}'>{cubes}</Cube></Cube>"
        "</gesmes:Envelope>"
    ).encode()


def nbu(rates: Mapping[str, str], day: date = DAY) -> bytes:
    """Return ``exchange?json``; rates are numbers."""
    rows = (
        f'{{"r030":1,"txt":"Валюта","rate":{rate},"cc":"{code}","exchangedate":"{day:%d.%m.%Y}","special":null}}'
        for code, rate in rates.items()
    )
    return f"[{','.join(rows)}]".encode()


def cbr(rates: Mapping[str, tuple[int, str]], day: date = DAY) -> bytes:
    """Return ``XML_daily.asp``; rates are how many roubles so many units are, with a comma."""
    rows = "".join(
        f'<Valute ID="R1"><NumCode>1</NumCode><CharCode>{code}</CharCode><Nominal>{nominal}</Nominal>'
        f"<Name>Валюта</Name><Value>{value}</Value></Valute>"
        for code, (nominal, value) in rates.items()
    )
    head = (
        f'<?xml version="1.0" encoding="windows-1251"?><ValCurs Date="{day:%d.%m.%Y}" name="Foreign Currency Market">'
    )
    return f"{head}{rows}</ValCurs>".encode("windows-1251")


class FakeBanks:
    """What the banks answer: bodies by source, or an HTTP status instead of one."""

    def __init__(self, url: str, answers: dict[str, bytes | int]) -> None:
        self.url = url
        self.answers = answers
        self.requested: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """The settings that lead to them."""
        return {f"KASSA_RATES_{source.upper()}_URL": f"{self.url}/{source}" for source in ("ecb", "nbu", "cbr")}


@asynccontextmanager
async def serving(**answers: bytes | int) -> AsyncIterator[FakeBanks]:
    """Open the banks."""
    banks = FakeBanks("", answers)

    async def answer(request: web.Request) -> web.Response:
        source = request.match_info["source"]
        banks.requested.append(source)
        found = banks.answers.get(source, 404)
        return web.Response(status=found) if isinstance(found, int) else web.Response(body=found)

    application = web.Application()
    application.router.add_get("/{source}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    banks.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield banks
    finally:
        await runner.cleanup()


async def set_rate(
    pool: Pool, base: str, quote: str, rate: str, *, until: datetime | None = None, now: datetime | None = None
) -> Quote:
    """Set a rate by hand, now unless another moment is given."""
    return await operations.add(
        pool,
        base=base,
        quote=quote,
        rate=Decimal(rate),
        valid_until=until,
        now=now or datetime(2026, 11, 24, tzinfo=UTC),
    )


async def counting(platform: Platform, base: str, quote: str, rate: str) -> None:
    """Set a rate by hand, and return when it counts."""
    await set_rate(platform.pool, base, quote, rate, now=platform.clock.real())

    async def counts() -> bool:
        found = await platform.rates.rate(base, quote, spread=Decimal(0), test_mode=True)
        return found == Decimal(rate)

    await until(counts, what="the rate to count")


def converted(amount: int, rate: Decimal, currency: str, service_currency: str) -> Invoice:
    """Return a paid invoice that nobody has written down, of an amount in minor units."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Invoice(
        account_id="coma_0000000000000001",
        invoice_id="cpi_0000000000000001",
        test_mode=True,
        reference_id="1",
        source="merchant_api",
        status=Status.PROCESSED,
        resolution="ok",
        service="x",
        service_method="payment_card",
        service_flow="hpp",
        service_currency=service_currency,
        payment_flow="charge",
        currency=currency,
        amount=amount,
        payment_amount=amount,
        fee=0,
        deposit=amount,
        processed_amount=amount,
        processed_at=now,
        attempts_max=5,
        created_at=now,
        updated_at=now,
        expires_at=now,
        exchange_rate=rate,
    )


def paying(invoice: Invoice, taken: int | None = None) -> Payment:
    """Return the attempt that has paid such an invoice: with what was asked for, or with something else."""
    return msgspec.structs.replace(
        sessions.PAYMENT,
        status=PaymentStatus.PROCESSED,
        amount=invoice.service_amount,
        currency=invoice.service_currency,
        processed_amount=invoice.service_amount if taken is None else taken,
        processed_currency=invoice.service_currency,
    )
