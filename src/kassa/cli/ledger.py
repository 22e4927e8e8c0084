"""``kassa ledger``: proving the books, and reading them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec
import typer

from kassa import money
from kassa.accounts import queries as accounts
from kassa.cli import printing
from kassa.cli.opened import Opened, opened
from kassa.db.pool import Connection
from kassa.db.view import one_moment
from kassa.errors import NotFound
from kassa.ledger import operations, queries
from kassa.ledger.listing.model import Listed
from kassa.ledger.listing.reading import listed
from kassa.ledger.model import DEBIT_NORMAL, Purse
from kassa.ledger.verification import Report, verify

app = typer.Typer(no_args_is_help=True, help="Prove the books, and read them.")

_BATCH: Final = 500

AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, coma_….")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Mode(StrEnum):
    """Whose books: each mode has its own."""

    TEST = "test"
    LIVE = "live"


@app.callback()
def ledger() -> None:
    """Prove the books, and read them."""


@app.command("verify")
def verify_books(
    account_id: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="One account's books; all of them unless it is given.")
    ] = None,
    *,
    mode: Annotated[Mode | None, typer.Option(help="One mode's books; both unless it is given.")] = None,
    as_json: Json = False,
) -> None:
    """Read all books and name each row that was changed, removed or slipped in; exit code 1 if there is one.

    Note the heads elsewhere: a head that is not found again tells that the journal's end was cut off.
    """
    modes = [mode] if mode else list(Mode)

    async def run() -> dict[tuple[str, Mode], Report]:
        reports: dict[tuple[str, Mode], Report] = {}
        async with opened() as kassa:
            for each in await _accounts(kassa, account_id):
                for one in modes:
                    async with one_moment(kassa.pool) as connection:
                        report = await verify(connection, account_id=each, test_mode=one is Mode.TEST)
                    reports[each, one] = report
        return reports

    reports = asyncio.run(run())
    if as_json:
        printing.document(
            [
                {"account_id": each, "mode": one, **msgspec.structs.asdict(report)}
                for (each, one), report in reports.items()
            ]
        )
    else:
        _print_reports(reports)
    if any(report.problems for report in reports.values()):
        raise typer.Exit(1)


@app.command()
def balances(
    account_id: AccountId,
    *,
    mode: Annotated[Mode, typer.Option(help="Whose books.")] = Mode.LIVE,
    as_json: Json = False,
) -> None:
    """Show what each purse of an account holds at this moment."""

    async def run() -> None:
        async with opened() as kassa:
            await _accounts(kassa, account_id)
            async with one_moment(kassa.pool) as connection:
                found = await operations.balances(connection, account_id=account_id, test_mode=mode is Mode.TEST)
        rows = [
            (currency, purse.value, money.to_fixed(found[purse, currency], currency))
            for currency in sorted({currency for _, currency in found})
            for purse in Purse
            if (purse, currency) in found
        ]
        _show(("currency", "purse", "balance"), rows, mode, as_json=as_json)

    asyncio.run(run())


@app.command()
def statement(
    account_id: AccountId,
    *,
    mode: Annotated[Mode, typer.Option(help="Whose books.")] = Mode.LIVE,
    currency: Annotated[str | None, typer.Option(help="Only this currency.")] = None,
    purse: Annotated[Purse, typer.Option(help="Whose money.")] = Purse.ACTIVE,
    as_json: Json = False,
) -> None:
    """Show what came into a purse and what went out of it, entry by entry, with the balance after each."""
    wanted = currency.upper() if currency else None

    async def run() -> None:
        async with opened() as kassa:
            await _accounts(kassa, account_id)
            async with one_moment(kassa.pool) as connection:
                rows = [
                    row
                    async for entry in _entries(connection, account_id, test_mode=mode is Mode.TEST)
                    for row in _lines(entry, purse, wanted)
                ]
        _show(_HEADS, rows, mode, as_json=as_json)

    asyncio.run(run())


_HEADS: Final = ("number", "booked", "recipe", "invoice", "currency", "amount", "balance")


def _show(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], mode: Mode, *, as_json: bool) -> None:
    if as_json:
        printing.document([dict(zip(heads, row, strict=True)) for row in rows])
        return
    printing.columns(heads, rows)
    if not rows:
        other = Mode.LIVE if mode is Mode.TEST else Mode.TEST
        typer.echo(f"Nothing of this is booked in {mode} mode; --mode {other} shows the other's books.", err=True)


def _lines(entry: Listed, purse: Purse, wanted: str | None) -> Iterable[tuple[str, ...]]:
    """Yield a line for each currency in which an entry moved a purse."""
    moved: dict[str, int] = {}
    for transfer in entry.posted.transfers:
        if purse in (transfer.debit, transfer.credit) and wanted in (None, transfer.currency):
            grows = (transfer.debit is purse) == (purse in DEBIT_NORMAL)
            change = transfer.amount if grows else -transfer.amount
            moved[transfer.currency] = moved.get(transfer.currency, 0) + change
    first = entry.posted.rows[0]
    for currency, minor in moved.items():
        yield (
            str(entry.number),
            f"{first.created_at:%Y-%m-%d %H:%M:%S}",
            first.recipe,
            first.invoice_id or "",
            currency,
            money.to_fixed(minor, currency),
            money.to_fixed(entry.balances[purse, currency], currency),
        )


async def _entries(connection: Connection, account_id: str, *, test_mode: bool) -> AsyncIterator[Listed]:
    after = 0
    while lines := await queries.lines(
        connection, account_id=account_id, test_mode=test_mode, after=after, limit=_BATCH
    ):
        for entry in await listed(connection, lines, account_id=account_id):
            yield entry
        after = lines[-1].number


async def _accounts(kassa: Opened, account_id: str | None) -> list[str]:
    """Return the accounts that are meant: one, or all. Raises ``NotFound``."""
    if account_id is None:
        return [each.account_id for each in await accounts.accounts(kassa.pool)]
    if await accounts.account(kassa.pool, account_id=account_id) is None:
        raise NotFound("There is no such account.")
    return [account_id]


def _print_reports(reports: dict[tuple[str, Mode], Report]) -> None:
    printing.columns(
        ("account", "mode", "lines", "rows", "problems", "head"),
        (
            (each, one, str(report.lines), str(report.rows), str(len(report.problems)), report.head or "")
            for (each, one), report in reports.items()
        ),
    )
    for (each, one), report in reports.items():
        for problem in report.problems:
            typer.echo(f"{each} {one}: {problem}")
    read = sum(report.lines + report.rows for report in reports.values())
    wrong = sum(len(report.problems) for report in reports.values())
    found = f"{wrong} {'problem' if wrong == 1 else 'problems'}" if wrong else "the books are whole"
    typer.echo(f"Read {read} rows: {found}.")
