"""An invoice's timeline in ``kassa invoices show``: what happened, when, and who brought it about."""

from typing import Any

import typer

from kassa import money
from kassa.cli import choosing, printing
from kassa.cli.printing import Shown
from kassa.invoices.document.wire import Document, Resource
from kassa.invoices.listing.timeline import WORDS
from kassa.invoices.tables.events import Happened
from kassa.values import Value

_HEADS = ("at", "event", "by", "details")


class Event(Value, frozen=True, kw_only=True):
    """An event as an operator sees it, with the name of who decided and their note."""

    version: int
    at: str
    kind: str
    by: str
    status: str
    resolution: str
    params: dict[str, Any]
    """Amounts are decimals, as texts."""


class ShownInvoice(Value, frozen=True, kw_only=True):
    """The invoice's private document with its timeline."""

    data: Resource
    events: list[Event]


def shown(facts: list[tuple[str, str]], document: Document, happened: list[Happened]) -> Shown:
    """Show an invoice's facts, and its timeline below."""

    def words() -> None:
        printing.facts(facts)
        typer.echo()
        printing.columns(_HEADS, (_line(event) for event in happened))

    return Shown(document=ShownInvoice(data=document.data, events=[_event(each) for each in happened]), words=words)


def _event(happened: Happened) -> Event:
    return Event(
        version=happened.version,
        at=happened.created_at.isoformat(),
        kind=happened.kind,
        by=happened.made_by,
        status=happened.status,
        resolution=happened.resolution,
        params=_params(happened.params),
    )


def _params(written: dict[str, Any]) -> dict[str, Any]:
    params = {name: value for name, value in written.items() if value is not None}
    if "amount" in params:
        params["amount"] = money.to_fixed(params["amount"], params["currency"])
    return params


def _line(happened: Happened) -> tuple[str, ...]:
    return (
        f"{happened.created_at:%Y-%m-%d %H:%M:%S}",
        WORDS.get(happened.kind, happened.kind),
        choosing.printable(happened.made_by),
        _details(happened.params),
    )


def _details(written: dict[str, Any]) -> str:
    """Return what matters of an event in one line: how much, why, and which row it is about."""
    params = _params(written)
    parts = [f"{params['amount']} {params['currency']}"] if "amount" in params else []
    parts += [str(params[name]) for name in ("resolution", "unexpected", "reason") if params.get(name, "ok") != "ok"]
    parts += [f"until {params['deadline']}"] if "deadline" in params else []
    parts += [choosing.printable(str(params["note"]))] if "note" in params else []
    about = next((params[name] for name in ("refund_id", "dispute_id", "payment_id") if name in params), None)
    return "  ".join([*parts, *([about] if about else [])])
