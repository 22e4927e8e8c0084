"""What changes the catalogue: each start of Kassa, for its built-in part, and an import of OpenFintech's data."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Final, TypeVar

from kassa import money
from kassa.catalogue import builtin, queries
from kassa.catalogue.model import Currency, Method, Saved, Service
from kassa.catalogue.openfintech import rows
from kassa.catalogue.openfintech.files import CurrencyRow, Files, MethodRow, Refusal, Rows, ServiceRow
from kassa.catalogue.openfintech.rows import RowRefused
from kassa.db.pool import Executor, Pool, transaction, unit_of_work
from kassa.values import Value

BATCH: Final = 200
"""How many rows are written in one transaction: few, so that an interrupted import has made progress."""

V = TypeVar("V", Currency, Method, Service)
R = TypeVar("R", CurrencyRow, MethodRow, ServiceRow)

Advance = Callable[[int], None]
"""Called with the number of rows that were just done."""


class Tally(Value, frozen=True, kw_only=True):
    """The result for the rows of one kind."""

    kind: str
    read: int
    new: int
    changed: int
    unchanged: int
    ours: int
    """Rows that were skipped, because ISO 4217 or Kassa itself defines them."""
    refused: int


class Report(Value, frozen=True, kw_only=True):
    """The result of an import."""

    tallies: list[Tally]
    refused: list[Refusal]
    """Rows that were not imported."""
    dropped: list[Refusal]
    """Patterns that were left out of imported rows."""

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return any(tally.new or tally.changed for tally in self.tallies)


@unit_of_work
async def load_builtin(pool: Pool) -> None:
    """Write the built-in methods and services as this version of Kassa has them; everything else stays.

    Called at each start, by every process: rows that are up to date are not written.
    """
    methods, services = builtin.read()
    async with transaction(pool) as connection:
        await queries.save_methods(connection, methods)
        await queries.save_services(connection, services)


async def load(pool: Pool, files: Files, *, advance: Advance) -> Report:
    """Add or update the files' rows; nothing is deleted, and built-in codes are skipped.

    Currencies come first, so that every process knows them before anything is paid in them. Each batch is a transaction
    of its own: repeating an interrupted import finishes it.
    """
    loading = _Loading(pool, advance)
    await loading.currencies(files.currencies)
    await loading.methods(files.methods)
    await loading.services(files.services)
    return Report(tallies=loading.tallies, refused=loading.refused, dropped=loading.dropped)


class _Loading:
    """One import in progress."""

    def __init__(self, pool: Pool, advance: Advance) -> None:
        self._pool = pool
        self._advance = advance
        self.tallies: list[Tally] = []
        self.refused: list[Refusal] = []
        self.dropped: list[Refusal] = []

    async def currencies(self, found: Rows[CurrencyRow]) -> None:
        known = await queries.exponents(self._pool)
        ours = {row.code for row in found.good if money.is_iso(row.code)}
        await self._load("currency", found, ours, lambda row: rows.currency(row, known), queries.save_currencies)
        money.learn(await queries.exponents(self._pool))

    async def methods(self, found: Rows[MethodRow]) -> None:
        ours = {method.code for method in builtin.read()[0]}
        await self._load("method", found, ours, rows.method, queries.save_methods)

    async def services(self, found: Rows[ServiceRow]) -> None:
        methods = await queries.method_codes(self._pool)
        kinds = {each.code: (each.method, each.flow, each.currency) for each in builtin.read()[1]}
        known = {**await queries.service_kinds(self._pool), **kinds}
        # A row that changes the kind of a built-in service is refused.
        ours = {row.code for row in found.good if kinds.get(row.code) == (row.method, row.flow, row.currency)}

        def service(row: ServiceRow) -> Service:
            return rows.service(row, methods, known, self.dropped)

        await self._load("service", found, ours, service, queries.save_services)

    async def _load(
        self,
        kind: str,
        found: Rows[R],
        ours: Collection[str],
        read: Callable[[R], V],
        save: Callable[[Executor, Sequence[V]], Awaitable[Saved]],
    ) -> None:
        values: list[V] = []
        refused = list(found.refused)
        for row in found.good:
            if row.code in ours:
                continue
            try:
                values.append(read(row))
            except RowRefused as error:
                refused.append(Refusal(name=f"{kind} {row.code}", reason=str(error)))
        self._advance(len(found.good) - len(values))
        saved = [await self._save(batch, save) for batch in _batches(values)]
        new, changed = sum(len(each.new) for each in saved), sum(len(each.changed) for each in saved)
        self.refused += refused
        self.tallies.append(
            Tally(
                kind=kind,
                read=len(found.good) + len(found.refused),
                new=new,
                changed=changed,
                unchanged=len(values) - new - changed,
                ours=sum(row.code in ours for row in found.good),
                refused=len(refused),
            )
        )

    @unit_of_work
    async def _save(self, batch: Sequence[V], save: Callable[[Executor, Sequence[V]], Awaitable[Saved]]) -> Saved:
        async with transaction(self._pool) as connection:
            saved = await save(connection, batch)
        self._advance(len(batch))
        return saved


def _batches(values: Sequence[V]) -> Iterator[Sequence[V]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
