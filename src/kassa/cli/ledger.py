"""``kassa ledger``: verifying the books, and reading them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated, Final

import msgspec
import typer

from kassa import money
from kassa.cli import choosing, printing
from kassa.cli.commands import AccountOption, LiveOption, LiveOrBoth, OneOrAll, command, group
from kassa.cli.opened import Opened, opened
from kassa.cli.printing import Shown
from kassa.db.pool import Connection
from kassa.db.view import one_moment
from kassa.ledger import operations, queries
from kassa.ledger.listing.model import Listed
from kassa.ledger.listing.reading import listed
from kassa.ledger.model import DEBIT_NORMAL, LedgerAccount
from kassa.ledger.verification import Report, verify

app = group("Verify the books, and read them.")

_BATCH: Final = 500
_HEADS: Final = ("number", "booked", "recipe", "invoice", "currency", "amount", "balance")


@command(app, "verify", opened, "kassa ledger verify", "kassa ledger verify --account coma_… --live")
async def verify_books(kassa: Opened, *, account_id: OneOrAll = None, live: LiveOrBoth = None) -> Shown:
    """Read all books and name each row that was changed, removed or slipped in; exit code 1 if there is one.

    Note the heads elsewhere: a head that is not found again means that the journal's end was cut off.
    """
    reports: dict[tuple[str, str], Report] = {}
    for each in await choosing.one_or_all(kassa.pool, account_id):
        for test_mode in (True, False) if live is None else (not live,):
            async with one_moment(kassa.pool) as connection:
                report = await verify(connection, account_id=each.account_id, test_mode=test_mode)
            reports[each.account_id, _mode(test_mode=test_mode)] = report
    document = [
        {"account_id": each, "mode": mode, **msgspec.structs.asdict(report)} for (each, mode), report in reports.items()
    ]
    lines = (
        (each, mode, str(report.lines), str(report.rows), str(len(report.problems)), report.head or "")
        for (each, mode), report in reports.items()
    )
    return printing.rows(
        ("account", "mode", "lines", "rows", "problems", "head"),
        lines,
        document,
        empty="There is no account yet.",
        after=_summary(reports),
        status=1 if any(report.problems for report in reports.values()) else 0,
    )


@command(app, "balances", opened, "kassa ledger balances", "kassa ledger balances --account coma_… --live")
async def balances(kassa: Opened, *, account_id: AccountOption = None, live: LiveOption = None) -> Shown:
    """Show what each ledger account of a merchant holds at this moment."""
    account = await choosing.chosen(kassa.pool, account_id)
    test_mode = choosing.in_test_mode(account, live=live)
    async with one_moment(kassa.pool) as connection:
        found = await operations.balances(connection, account_id=account.account_id, test_mode=test_mode)
    lines = [
        (currency, each.value, money.to_fixed(found[each, currency], currency))
        for currency in sorted({currency for _, currency in found})
        for each in LedgerAccount
        if (each, currency) in found
    ]
    return _shown(("currency", "ledger_account", "balance"), lines, test_mode=test_mode)


@command(
    app, "statement", opened, "kassa ledger statement", "kassa ledger statement --ledger-account fees --currency USD"
)
async def statement(
    kassa: Opened,
    *,
    account_id: AccountOption = None,
    live: LiveOption = None,
    currency: Annotated[str | None, typer.Option(help="Only this currency.")] = None,
    ledger_account: Annotated[LedgerAccount, typer.Option(help="Which ledger account.")] = LedgerAccount.ACTIVE,
) -> Shown:
    """Show what came into a ledger account and what went out of it, entry by entry, with the balance after each."""
    account = await choosing.chosen(kassa.pool, account_id)
    test_mode = choosing.in_test_mode(account, live=live)
    wanted = currency.upper() if currency else None
    async with one_moment(kassa.pool) as connection:
        lines = [
            line
            async for entry in _entries(connection, account.account_id, test_mode=test_mode)
            for line in _lines(entry, ledger_account, wanted)
        ]
    return _shown(_HEADS, lines, test_mode=test_mode)


def _shown(heads: tuple[str, ...], lines: Sequence[tuple[str, ...]], *, test_mode: bool) -> Shown:
    here, there = _mode(test_mode=test_mode), _mode(test_mode=not test_mode)
    empty = f"Nothing of this is booked in {here} mode; --{there} shows the other mode's books."
    return printing.rows(heads, lines, [dict(zip(heads, line, strict=True)) for line in lines], empty=empty)


def _lines(entry: Listed, ledger_account: LedgerAccount, wanted: str | None) -> Iterable[tuple[str, ...]]:
    """Yield a line for each currency in which an entry moved a ledger account."""
    moved: dict[str, int] = {}
    for transfer in entry.posted.transfers:
        if ledger_account in (transfer.debit, transfer.credit) and wanted in (None, transfer.currency):
            grows = (transfer.debit is ledger_account) == (ledger_account in DEBIT_NORMAL)
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
            money.to_fixed(entry.balances[ledger_account, currency], currency),
        )


async def _entries(connection: Connection, account_id: str, *, test_mode: bool) -> AsyncIterator[Listed]:
    after = 0
    while lines := await queries.lines(
        connection, account_id=account_id, test_mode=test_mode, after=after, limit=_BATCH
    ):
        for entry in await listed(connection, lines, account_id=account_id):
            yield entry
        after = lines[-1].number


def _summary(reports: dict[tuple[str, str], Report]) -> str:
    problems = [f"{each} {mode}: {problem}" for (each, mode), report in reports.items() for problem in report.problems]
    read = sum(report.lines + report.rows for report in reports.values())
    found = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}" if problems else "the books are whole"
    return "\n".join([*problems, f"Read {read} rows: {found}."])


def _mode(*, test_mode: bool) -> str:
    return "test" if test_mode else "live"
