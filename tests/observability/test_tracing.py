"""One trace holds a request, its statements, the provider and the callback, whoever sends them and when."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import serving, visitor
from tests.support.api import Client
from tests.support.merchant import Merchant
from tests.support.serving import Serving
from tests.support.waiting import until
from tests.support.world import GOOD, GOOD_SECURE


@dataclass(kw_only=True)
class Collector:
    """What an OTLP collector has received."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        exported = ExportTraceServiceRequest.FromString(await request.read())
        for resource in exported.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return web.Response()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def of_trace(self, trace_id: bytes) -> set[str]:
        return {span.name for span in self.spans if span.trace_id == trace_id}

    async def trace(self, names: set[str], *, expected: set[str]) -> Span:
        """Return the one request that is called by one of ``names``, once the ``expected`` spans of its trace are here.

        Spans arrive when they end and in no order that a test could count on: a request's own comes after those in it,
        and the worker's beside it.
        """

        def arrived() -> list[Span]:
            requests = [span for span in self.spans if span.name in names and span.kind == Span.SPAN_KIND_SERVER]
            return requests if all(expected <= self.of_trace(span.trace_id) for span in requests) else []

        (request,) = await until(arrived, what=f"{', '.join(sorted(expected))} in the trace of one of {sorted(names)}")
        return request

    def is_complete(self) -> bool:
        """Tell whether each span that is here has its parent here as well."""
        known = {span.span_id for span in self.spans}
        return all(not span.parent_span_id or span.parent_span_id in known for span in self.spans)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    made = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def traced(folder: Path, collector: Collector) -> AsyncIterator[Serving]:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    async with serving.running(folder, environment=environment) as running:
        yield running


async def pay(shop: Client, card: str, callback_url: str) -> str:
    created = await shop.create(callback_url=callback_url)
    async with visitor.visiting() as payer:
        form = await payer.open(created.attributes["flow_data"]["action"])
        page = await payer.press(form, card_number=card, expiry="12/30", cvc="123")
        if card == GOOD_SECURE:
            page = await payer.press(page, "approve")
    assert page.heading == "Payment received"
    invoice_id: str = created.data["id"]
    return invoice_id


def attributes(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


async def test_a_payment_is_one_trace_from_the_card_to_the_callback(
    traced: Serving, collector: Collector, merchant: Merchant
) -> None:
    async with aiohttp.ClientSession() as session:
        shop = Client(session, traced.served.base_url, traced.served.account)
        invoice_id = await pay(shop, GOOD, merchant.url)
    submitted = await collector.trace(
        {"POST /hpp/{session_id}"},
        expected={"test pay", "callbacks", "POST callback", "WITH invoices"},
    )
    created = await collector.trace(
        {"POST /api/payment-invoices", "POST /payment-invoices"},
        expected={"callbacks", "POST callback", "WITH invoices"},
    )
    (taken,) = [span for span in collector.named("callbacks") if span.trace_id == submitted.trace_id]
    assert attributes(taken)["kassa.invoice_id"] == invoice_id
    traces = {received.headers["traceparent"].split("-")[1] for received in merchant.received}
    assert traces == {submitted.trace_id.hex(), created.trace_id.hex()}


async def test_the_worker_goes_on_in_the_trace_of_the_attempt(
    traced: Serving, collector: Collector, merchant: Merchant
) -> None:
    async with aiohttp.ClientSession() as session:
        shop = Client(session, traced.served.base_url, traced.served.account)
        created = await shop.create(callback_url=merchant.url)
        async with visitor.visiting() as payer:
            form = await payer.open(created.attributes["flow_data"]["action"])
            bank = await payer.press(form, card_number=GOOD_SECURE, expiry="12/30", cvc="123")
            # The payer approves and closes the window: the bank's notification wakes the worker.
            await payer.send(bank.form.action, decision="approve")
    await collector.trace({"POST /hpp/{session_id}"}, expected={"test status"})


async def test_nothing_is_recorded_that_a_payer_entered_and_no_statement_without_a_trace(
    traced: Serving, collector: Collector, merchant: Merchant
) -> None:
    async with aiohttp.ClientSession() as session:
        await pay(Client(session, traced.served.base_url, traced.served.account), GOOD_SECURE, merchant.url)

    def all_arrived() -> bool:
        roots = {span.kind for span in collector.spans if not span.parent_span_id}
        callbacks, submitted = collector.named("POST callback"), collector.named("POST /hpp/{session_id}")
        return (
            len(callbacks) >= 2 and len(submitted) == 1 and Span.SPAN_KIND_CONSUMER in roots and collector.is_complete()
        )

    await until(all_arrived, what="the payment's spans, with their parents")
    recorded = b"".join(span.SerializeToString() for span in collector.spans)
    account = traced.served.account
    for secret in (GOOD_SECURE, account.api_key, account.private_key_test, "John"):
        assert secret.encode() not in recorded
    roots = {span.kind for span in collector.spans if not span.parent_span_id}
    assert roots == {Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CONSUMER}


async def test_a_collector_that_is_away_disturbs_no_payment(folder: Path, merchant: Merchant) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with serving.running(folder, environment=environment) as kassa, aiohttp.ClientSession() as session:
        await pay(Client(session, kassa.served.base_url, kassa.served.account), GOOD, merchant.url)
    assert "Traceback" not in (folder / "stderr.log").read_text()


async def python(program: str) -> tuple[bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    return await process.communicate()


async def test_without_a_collector_nothing_of_it_is_imported() -> None:
    program = "import sys, kassa.cli.serve; print([name for name in sys.modules if 'opentelemetry' in name])"
    assert (await python(program))[0] == b"[]\n"


async def test_a_collector_without_the_extra_is_said_and_no_reason_to_stop() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None; from kassa import observability;"
        "from kassa.observability import tracing; observability.configure('info');"
        "tracing.configure({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:9'});"
        "print(tracing.carried(), tracing.headers())"
    )
    out, err = await python(program)
    assert (out, b"pip install 'kassa[otel]'" in err) == (b"None {}\n", True)
