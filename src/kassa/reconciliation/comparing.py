"""One comparison: the provider's statement of a period, page by page, with our books of it, and the other way round.

First each line of the statement is looked for in our books, whenever we booked it; then each movement of our books in
the period is looked for among those lines. So a movement that the two sides booked on two sides of midnight is found
both ways, and neither the statement nor our books are ever in memory.
"""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from kassa import ids
from kassa.accounts.model import Account, Route
from kassa.errors import Invalid, ProviderGarbled
from kassa.platform import Platform
from kassa.providers.protocol import StatementLine, Statements, Value
from kassa.reconciliation import operations, queries
from kassa.reconciliation.cases import queries as cases
from kassa.reconciliation.model import MARGIN, Difference, Kind, Ours, Period, Seen, check, compare, counterpart

ENTRIES: Final = 500
"""How many entries of the journal are read at a time."""
PAGES_MAX: Final = 100_000
"""A statement that is longer does not end."""


class Result(Value, frozen=True, kw_only=True):
    """What a comparison found. ``kinds`` counts the differences, also those that a person has closed."""

    lines: int
    entries: int
    kinds: dict[str, int]
    asked: int
    """New cases about whose payment the provider is being asked."""
    closed: int
    """Cases in which the books agree now."""
    open: int
    """Cases of this provider account that are open after it, of whatever time."""


async def compared(
    platform: Platform, account_id: str, provider_account_id: str, *, since: datetime, until: datetime | None = None
) -> Result | None:
    """Compare a provider account's books of a period with the provider's; None where the provider has no statement.

    What is younger than 15 minutes is not compared. Raises ``ProviderSilent``, ``ProviderGarbled``; ``NotFound`` for a
    provider that does not run here; ``Invalid`` for a period of nothing.
    """
    account = await platform.accounts.by_id(account_id)
    route = await platform.accounts.credentials(account_id, provider_account_id)
    provider = platform.providers.get(route.provider)
    if not isinstance(provider, Statements):
        return None
    latest = platform.clock.now(test_mode=route.credentials.test_mode) - MARGIN
    period = Period(since=since, until=latest if until is None else min(until, latest))
    if period.since >= period.until:
        raise Invalid({"since": "This value should be before the end of the period, and more than 15 minutes ago."})
    return await Comparison(platform, account, route, provider).run(period)


class Comparison:
    """One comparison under way."""

    def __init__(self, platform: Platform, account: Account, route: Route, provider: Statements) -> None:
        self._platform = platform
        self._account = account
        self._credentials = route.credentials
        self._merchant = queries.Merchant(
            provider=route.provider,
            merchant_id=route.credentials.merchant_id,
            test_mode=route.credentials.test_mode,
        )
        self._provider = provider
        self._seen = Seen()
        self._parts: dict[str, StatementLine] = {}
        """Of charge-backs that we booked together, by their ref: a line that is one of them and not the last."""
        self._lines = self._entries = self._asked = 0
        self._kinds: Counter[str] = Counter()

    async def run(self, period: Period) -> Result:
        """Compare, both ways."""
        begun_at = self._now()
        read_since = period.since - MARGIN
        await self._read(Period(since=read_since, until=period.until + MARGIN), told_until=period.until)
        # What the provider booked long before we learned of it is on an older part of its statement.
        earliest = read_since
        async for ours in self._unseen(period):
            earliest = min(earliest, ours.asked_at)
        if earliest < read_since:
            await self._read(Period(since=earliest - MARGIN, until=read_since), told_until=period.until)
        async for ours in self._unseen(period):
            part = self._parts.get(ours.ref)
            await self._see(Difference(kind=Kind.AMOUNT if part else Kind.MISSING_THERE, ours=ours, line=part))
        return Result(
            lines=self._lines,
            entries=self._entries,
            kinds=dict(self._kinds),
            asked=self._asked,
            closed=await operations.close_agreed(
                self._platform.pool,
                self._account,
                period,
                provider_account_id=self._credentials.provider_account_id,
                begun_at=begun_at,
                now=self._now(),
            ),
            open=await cases.open_count(
                self._platform.pool,
                account_id=self._account.account_id,
                provider_account_id=self._credentials.provider_account_id,
            ),
        )

    async def _read(self, period: Period, *, told_until: datetime) -> None:
        """Look for each line of the statement in our books; what is younger may not have reached us yet."""
        eldest = await queries.eldest(self._platform.pool, self._merchant)
        async for lines in self._pages(period):
            sharing = await self._sharing(lines)
            known = await self._known(lines)
            for line in lines:
                tag = ids.tag_of(line.payment_id, "pay")
                if tag != self._account.tag and (tag in sharing or eldest != self._credentials.provider_account_id):
                    continue  # another account's, or nobody's and for another account to tell
                ours = counterpart(known.get(line.payment_id, []), line)
                if ours is not None and ours.provider_account_id != self._credentials.provider_account_id:
                    continue
                self._lines += 1
                self._seen.add(line.movement, line.ref)
                kind = compare(ours, line)
                if ours is not None and ours.ref != line.ref:
                    self._part(ours, line, kind)
                if kind is not None and line.booked_at < told_until:
                    await self._see(Difference(kind=kind, ours=ours, line=line))

    def _part(self, ours: Ours, line: StatementLine, kind: Kind | None) -> None:
        """Note a charge-back's line that does not end where our entry does."""
        if kind is None:
            self._parts[ours.ref] = line
        else:
            self._seen.add(ours.movement, ours.ref)

    async def _pages(self, period: Period) -> AsyncIterator[list[StatementLine]]:
        after: str | None = None
        for _ in range(PAGES_MAX):
            page = await self._provider.statement(self._credentials, period.since, period.until, after)
            yield [check(line) for line in page.lines]
            if page.next is None:
                return
            if page.next == after:
                raise ProviderGarbled("The statement's next page is the same again.")
            after = page.next
        raise ProviderGarbled("The statement does not end.")

    async def _sharing(self, lines: list[StatementLine]) -> set[str]:
        tags = {ids.tag_of(line.payment_id, "pay") for line in lines} - {self._account.tag, None}
        wanted = sorted(tag for tag in tags if tag is not None)
        return await queries.sharing(self._platform.pool, self._merchant, wanted) if wanted else set()

    async def _known(self, lines: list[StatementLine]) -> dict[str, list[Ours]]:
        payment_ids = sorted({line.payment_id for line in lines})
        found = await queries.of_payments(self._platform.pool, payment_ids, account_id=self._account.account_id)
        known: dict[str, list[Ours]] = {}
        for ours in found:
            known.setdefault(ours.payment_id, []).append(ours)
        return known

    async def _unseen(self, period: Period) -> AsyncIterator[Ours]:
        """Yield the movements of our books in a period that the statement has not shown."""
        self._entries, after, rest = 0, 0, period
        while True:
            found, place = await queries.booked(
                self._platform.pool,
                self._credentials.provider_account_id,
                rest,
                account_id=self._account.account_id,
                test_mode=self._credentials.test_mode,
                after=after,
                limit=ENTRIES,
            )
            for ours in found:
                self._entries += 1
                if not self._seen.has(ours.movement, ours.ref):
                    yield ours
            if place is None:
                return
            rest, after = Period(since=place.created_at, until=period.until), place.number

    async def _see(self, difference: Difference) -> None:
        self._kinds[difference.kind] += 1
        self._asked += await operations.see(
            self._platform.pool,
            self._account,
            difference,
            provider_account_id=self._credentials.provider_account_id,
            test_mode=self._credentials.test_mode,
            now=self._now(),
        )

    def _now(self) -> datetime:
        return self._platform.clock.now(test_mode=self._credentials.test_mode)
