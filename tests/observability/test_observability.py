import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE

import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from kassa import observability
from kassa.observability import mask, mask_text
from kassa.observability.metrics import registry
from kassa.observability.requests import INTERNAL_ERROR, Observed


@pytest.mark.parametrize(
    "said,told",
    [
        ("card 4111111111111111 here", "card [card] here"),
        ("4111 1111 1111 1111", "[card]"),
        ("4111-1111-1111-1111", "[card]"),
        ("pan=5519283812030000&cvv", "pan=[card]&cvv"),
        ("4111111111111112 is no card", "4111111111111112 is no card"),
        ("sk_test_2UQrQUBa4ASuoP5mWzfxl6w42X58DyPbQeFxa3R5oGo", "sk_test_…"),
        ("key afexZCU6tZKXKAGdS_GBbSv6mPbZwQsRsP1_2CauUqU.", "key …."),
        ("postgresql://kassa_owner:word@127.0.0.1:5432/kassa", "postgresql://kassa_owner:…@127.0.0.1:5432/kassa"),
        ("Authorization: Basic Y29tYTprZXk=", "Authorization: Basic …"),
        ("Basic x", "Basic …"),
        ("://a:b@", "://a:…@"),
        ("invoice cpi_Pwv86nGPaIxIvqVv", "invoice cpi_Pwv86nGPaIxIvqVv"),
        ("pk_test_ueDkywZKNEkaMLpJV-DT0hzJ8qH8c9C0h1UmYQY4mnA", "pk_test_ueDkywZKNEkaMLpJV-DT0hzJ8qH8c9C0h1UmYQY4mnA"),
    ],
)
def test_card_numbers_and_keys_are_masked_and_nothing_else(said: str, told: str) -> None:
    assert mask_text(said) == told


def test_masking_reaches_into_whatever_a_line_carries() -> None:
    class Thing:
        def __repr__(self) -> str:
            return "Thing(4111111111111111)"

    event = {"number": 4111111111111111, "deep": [{"4111111111111111": ("4111111111111111", 7)}], "thing": Thing()}
    masked = mask(None, "info", event)
    assert masked == {"number": "[card]", "deep": [{"[card]": ["[card]", 7]}], "thing": "Thing([card])"}


def test_a_traceback_tells_no_values(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    observability.configure("info")
    try:
        card = "4111111111111111"
        try:
            int(f"card {card}")
        except ValueError:
            structlog.get_logger("kassa.test").exception("went wrong", payer="someone")
        logging.getLogger("a library").warning("it saw %s", card)
        ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    finally:
        structlog.reset_defaults()
    assert (ours["event"], ours["level"], ours["payer"]) == ("went wrong", "error", "someone")
    assert ours["exception"].endswith("invalid literal for int() with base 10: 'card [card]'")
    assert "4111" not in ours["exception"]
    assert theirs["event"] == "it saw [card]"


async def call(app: Starlette, path: str, headers: list[tuple[bytes, bytes]]) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": headers,
    }
    await Observed(app, surface="test")(scope, receive, send)
    return sent


async def hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def broken(_request: Request) -> Response:
    raise RuntimeError


APP = Starlette(routes=[Route("/hello/{name}", hello), Route("/broken", broken)])


async def test_a_request_id_that_is_given_is_answered() -> None:
    sent = await call(APP, "/hello/x", [(b"x-request-id", b"order-1")])
    assert (b"x-request-id", b"order-1") in sent[0]["headers"]


@pytest.mark.parametrize("given", [b"", b"two words", b"a\xff", b"x" * 65, b"<b>"])
async def test_a_request_id_that_makes_no_sense_is_replaced(given: bytes) -> None:
    sent = await call(APP, "/hello/x", [(b"x-request-id", given)])
    answered = dict(sent[0]["headers"])[b"x-request-id"]
    assert answered != given
    assert len(answered) == 32


async def test_an_error_that_no_room_caught_is_answered_as_the_contract_says() -> None:
    class Bare:
        async def __call__(self, *_: object) -> None:
            raise RuntimeError

    sent = await call(Bare(), "/", [])  # type: ignore[arg-type]
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"]) == INTERNAL_ERROR


async def test_requests_are_counted_by_route_not_by_path() -> None:
    for name in ("a", "b", "c"):
        await call(APP, f"/hello/{name}", [])
    await call(APP, "/broken", [])
    labels = {"surface": "test", "method": "GET"}
    count = registry.get_sample_value
    assert (count("kassa_http_requests_total", {**labels, "route": "/hello/{name}", "status": "200"}) or 0) >= 3
    assert count("kassa_http_requests_total", {**labels, "route": "/broken", "status": "500"}) == 1


async def test_a_log_that_takes_no_line_stops_nobody() -> None:
    program = (
        "import structlog; from kassa import observability; observability.configure('info');"
        "log = structlog.get_logger('kassa'); [log.info('a line', number=number) for number in range(10_000)];"
        "print('went on', flush=True)"
    )
    read, write = os.pipe()
    os.close(read)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=PIPE, stderr=write)
    os.close(write)
    out, _ = await process.communicate()
    assert out == b"went on\n"


def test_a_line_that_cannot_be_written_raises_nothing_where_it_is_logged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    observability.configure("info")
    try:
        structlog.get_logger("kassa.test").info("card 4111111111111111", thing=Unspeakable())
        told = json.loads(capsys.readouterr().err)
    finally:
        structlog.reset_defaults()
    assert told["event"] == "a log line could not be written"
    assert (told["error"], told["line"]) == ("RuntimeError", "card [card]")
