"""``kassa disputes``: chargebacks, and what became of them."""

from typing import Annotated

import typer

from kassa import money
from kassa.cli import choosing, printing
from kassa.cli.commands import LiveOrBoth, OneOrAll, command, group
from kassa.cli.opened import opened_platform
from kassa.cli.printing import Shown
from kassa.invoices.listing.disputes import resource
from kassa.invoices.rules.records import Dispute, DisputeStatus
from kassa.invoices.tables import disputes
from kassa.platform import Platform

app = group("Chargebacks, and what became of them.")

LIMIT_DEFAULT = 20
LIMIT_MAX = 100


@command(app, "list", opened_platform, "kassa disputes list", "kassa disputes list --status open --live")
async def list_disputes(
    platform: Platform,
    *,
    account_id: OneOrAll = None,
    live: LiveOrBoth = None,
    status: Annotated[DisputeStatus | None, typer.Option(metavar="STATUS", help="open, won or lost.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="How many of each account.")] = LIMIT_DEFAULT,
) -> Shown:
    """List disputes, newest first: money that payers' banks have taken back."""
    found = [
        each
        for account in await choosing.one_or_all(platform.pool, account_id)
        for each in await disputes.page(
            platform.pool,
            account_id=account.account_id,
            test_mode=None if live is None else not live,
            status=status,
            before=None,
            limit=limit,
        )
    ]
    heads = ("dispute", "invoice", "status", "amount", "fee", "reason", "mode", "opened", "deadline")
    return printing.rows(
        heads, (_row(each) for each in found), [resource(each) for each in found], empty="There are no such disputes."
    )


def _row(dispute: Dispute) -> tuple[str, ...]:
    return (
        dispute.dispute_id,
        dispute.invoice_id,
        dispute.status,
        _amount(dispute.amount, dispute.currency),
        _amount(dispute.fee, dispute.currency),
        choosing.printable(dispute.reason),
        "test" if dispute.test_mode else "live",
        f"{dispute.opened_at:%Y-%m-%d %H:%M}",
        f"{dispute.deadline:%Y-%m-%d %H:%M}" if dispute.deadline else "",
    )


def _amount(minor: int, currency: str) -> str:
    return f"{money.to_fixed(minor, currency)} {currency}"
