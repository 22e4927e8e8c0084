"""What a running Kassa logs of one payment: lines that name its account and invoice, in JSON and at a terminal."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kassa.observability.terminal import Terminal
from tests.support.paying import paid
from tests.support.serving import Serving
from tests.support.waiting import until

BUSINESS = ["invoice.created", "attempt.started", "attempt.succeeded", "invoice.paid"]


def lines_of(log: Path, invoice_id: str) -> list[dict[str, Any]]:
    whole, _, _ = log.read_text().rpartition("\n")  # of the last line a part may be written yet
    lines = [json.loads(line) for line in whole.split("\n") if line]
    return [line for line in lines if line.get("invoice_id") == invoice_id]


async def test_one_payment_can_be_followed_through_the_log(serving_kassa: Serving) -> None:
    invoice_id = await paid(serving_kassa)
    log = serving_kassa.folder / "stderr.log"

    def delivered() -> bool:
        names = [line["event"] for line in lines_of(log, invoice_id)]
        return names.count("callback.delivered") == 2

    await until(delivered, what="both callbacks on the log")
    lines = lines_of(log, invoice_id)
    assert [line["event"] for line in lines if line["event"] in BUSINESS] == BUSINESS
    requests = [(line["method"], line["status"]) for line in lines if line["event"] == "request"]
    assert ("POST", 201) in requests
    assert ("GET", 200) in requests
    assert ("POST", 303) in requests
    assert {line["account_id"] for line in lines} == {serving_kassa.served.account.id}
    assert all(list(line)[:3] == ["timestamp", "level", "event"] for line in lines)
    for line in lines:
        if line["event"] in ("attempt.started", "attempt.succeeded", "invoice.paid"):
            assert re.fullmatch(r"[0-9a-f]{32}", line["request_id"])


REQUEST = {
    "timestamp": "22:08:19",
    "level": "info",
    "event": "request",
    "logger": "kassa",
    "method": "POST",
    "path": "/api/payment-invoices",
    "status": 201,
    "ms": 12.4,
    "request_id": "ab",
    "account_id": "coma_x",
    "invoice_id": "cpi_Pwv86nGPaIxIvqVv",
    "surface": "base",
}


@pytest.mark.parametrize(
    "event, shown",
    [
        (REQUEST, "22:08:19 POST /api/payment-invoices 201 12 ms cpi_Pwv86nGPaIxIvqVv"),
        (
            REQUEST | {"path": "/api/payment-invoices/cpi_Pwv86nGPaIxIvqVv", "ms": 1.25, "method": "GET"},
            "22:08:19 GET /api/payment-invoices/cpi_Pwv86nGPaIxIvqVv 201 1.2 ms",
        ),
        (
            {
                "timestamp": "22:08:20",
                "level": "info",
                "event": "attempt.declined",
                "account_id": "coma_x",
                "invoice_id": "cpi_x",
                "amount": "12.5",
                "currency": "USD",
                "status": "process_failed",
                "resolution": "insufficient_funds",
                "payment_id": "pay_x",
            },
            "22:08:20 attempt.declined cpi_x 12.5 USD resolution=insufficient_funds",
        ),
        (
            {"timestamp": "1", "level": "info", "event": "migrations applied", "count": 17, "last": "0017"},
            "1 17 migrations applied last=0017",
        ),
        (
            {
                "timestamp": "1",
                "level": "error",
                "event": "went wrong",
                "a": "x\x1b[2J\ny",
                "exception": "Traceback\n  x",
            },
            "1 went wrong a=x?[2J?y\nTraceback\n  x",
        ),
    ],
    ids=["request", "request whose path has the id", "business event", "migrations", "defect"],
)
def test_a_line_at_a_terminal_is_short(event: dict[str, Any], shown: str) -> None:
    assert Terminal(colours=False)(None, "info", dict(event)).decode() == shown


def test_a_line_at_a_terminal_is_coloured_unless_its_owner_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = Terminal.of_environment()(None, "info", dict(REQUEST)).decode()
    assert "\x1b[32m201\x1b[0m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in Terminal.of_environment()(None, "info", dict(REQUEST)).decode()
