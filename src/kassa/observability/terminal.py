"""Log lines for a person at a terminal: one short line each, in colour unless the terminal or its owner wants none."""

import os
from collections.abc import Mapping
from typing import Any, Final

from structlog.typing import EventDict, WrappedLogger

_COLOURS: Final = {"grey": "90", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1"}
_BY_LEVEL: Final = {"debug": "grey", "warning": "yellow", "error": "red", "critical": "red"}
_BY_STATUS: Final = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}
_NOT_SHOWN: Final = ("level", "logger", "request_id", "test_mode", "surface", "worker")
_NOT_OF_EVENTS: Final = ("account_id", "payment_id", "callback_id", "refund_id", "status", "provider")
"""What a business event's name and invoice say already, or lead to."""
_SENTENCES: Final = {"migrations applied": "{count} migrations applied"}
"""Lines that a person reads sooner with one of their facts in its place."""
_EXACT_MS: Final = 10


class Terminal:
    """Renders lines; a processor of structlog, the last one."""

    def __init__(self, *, colours: bool) -> None:
        """Take whether to colour."""
        self._colours = colours

    @classmethod
    def of_environment(cls) -> "Terminal":
        """Return one that colours unless NO_COLOR is set or the terminal cannot."""
        return cls(colours=not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
        """Return the line's bytes, and under it the traceback of a defect."""
        facts = dict(event)
        time, name, level = facts.pop("timestamp", ""), str(facts.pop("event", "")), facts.get("level", "info")
        exception = facts.pop("exception", None)
        for each in _NOT_SHOWN:
            facts.pop(each, None)
        if name == "request":
            text = self._request(facts)
        elif "." in name and " " not in name:
            text = self._business(name, facts, level)
        else:
            if "invoice_id" in facts:
                facts.pop("account_id", None)  # the invoice leads to it
            text = f"{self._painted(_sentence(name, facts), _BY_LEVEL.get(level))}{_rest(facts)}"
        line = f"{self._painted(time, 'grey')} {text}"
        return (f"{line}\n{exception}" if exception else line).encode(errors="backslashreplace")

    def _request(self, facts: dict[str, Any]) -> str:
        path, status, ms = str(facts.get("path", "")), int(facts.get("status", 0)), float(facts.get("ms", 0))
        took = f"{ms:.0f} ms" if ms >= _EXACT_MS else f"{ms:.1f} ms"
        invoice_id = facts.get("invoice_id", "")
        shown = "" if invoice_id in path else f" {invoice_id}"
        coloured = self._painted(str(status), _BY_STATUS.get(status // 100, "red"))
        return f"{facts.get('method', '')} {_plain(path)} {coloured} {self._painted(took, 'grey')}{shown}"

    def _business(self, name: str, facts: dict[str, Any], level: str) -> str:
        for each in _NOT_OF_EVENTS:
            facts.pop(each, None)
        if facts.get("resolution") == "ok":
            del facts["resolution"]
        invoice_id = facts.pop("invoice_id", "")
        amount, currency = facts.pop("amount", None), facts.pop("currency", None)
        money = f" {amount} {currency}" if amount is not None else ""
        return f"{self._painted(name, _BY_LEVEL.get(level, 'bold'))} {invoice_id}{money}{_rest(facts)}"

    def _painted(self, text: str, colour: str | None) -> str:
        if not self._colours or colour is None:
            return _plain(text)
        return f"\x1b[{_COLOURS[colour]}m{_plain(text)}\x1b[0m"


def _sentence(name: str, facts: dict[str, Any]) -> str:
    if name not in _SENTENCES:
        return name
    return _SENTENCES[name].format(count=facts.pop("count", ""))


def _rest(facts: Mapping[str, Any]) -> str:
    return "".join(f" {name}={_plain(str(value))}" for name, value in facts.items() if value is not None)


def _plain(text: str) -> str:
    """Return a text that stays on its line: text from outside cannot move the cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)
