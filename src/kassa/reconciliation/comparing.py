"""One comparison: the provider's statement of a period is read and kept, page by page, and joined with our books.

A movement that the two sides booked on two sides of midnight is found both ways: lines are read a little past both ends
of the period, and, where our books have a movement that these do not show, back to the beginning of its payment.
"""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from kassa import ids
from kassa.accounts.model import Account, Route
from kassa.errors import Invalid, NotFound, ProviderGarbled
from kassa.platform import Platform
from kassa.providers.protocol import StatementLine, Statements
from kassa.reconciliation import operations, queries
from kassa.reconciliation.discrepancies import queries as discrepancies
from kassa.reconciliation.model import MARGIN, Difference, Period, check
from kassa.reconciliation.statements import queries as statements
from kassa.reconciliation.statements.queries import KEPT, Books
from kassa.reconciliation.turns import queries as turns
from kassa.values import Value

ENTRIES: Final = 1_000
"""How many movements of either side are joined at a time."""
PAGES_MAX: Final = 100_000
"""A statement that is longer does not end."""


class Result(Value, frozen=True, kw_only=True):
    """What a comparison found. ``kinds`` counts the differences, also those that an operator has closed."""

    lines: int
    entries: int
    kinds: dict[str, int]
    asked: int
    """New discrepancies about whose payment the provider is about to be asked."""
    closed: int
    """Discrepancies in which the books agree now."""
    open: int
    """Discrepancies of this provider account that are open after it, of whatever time."""


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
    test_mode = route.credentials.test_mode
    latest = platform.clock.now(test_mode=test_mode) - MARGIN
    period = Period(since=since, until=latest if until is None else min(until, latest))
    if period.since >= period.until:
        raise Invalid({"since": "This value should be before the end of the period, and more than 15 minutes ago."})
    books = Books(
        account_id=account_id,
        provider_account_id=provider_account_id,
        test_mode=test_mode,
        run=await statements.begin(platform.pool, provider_account_id, account_id=account_id),
        takes_unknown=provider_account_id == await _first(platform, account_id, test_mode=test_mode),
    )
    return await Comparison(platform, account, route, provider, books).run(period)


async def _first(platform: Platform, account_id: str, *, test_mode: bool) -> str | None:
    """Return the first provider account of a mode that can be compared: what is about no payment is its to show."""
    for each in await turns.schedules(platform.pool, account_id=account_id):
        if each.test_mode == test_mode and _shows_statements(platform, each.provider):
            return each.provider_account_id
    return None


def _shows_statements(platform: Platform, provider: str) -> bool:
    try:
        return isinstance(platform.providers.get(provider), Statements)
    except NotFound:
        return False


class Comparison:
    """One comparison under way."""

    def __init__(self, platform: Platform, account: Account, route: Route, provider: Statements, books: Books) -> None:
        self._platform = platform
        self._account = account
        self._credentials = route.credentials
        self._merchant = queries.Merchant(
            provider=route.provider,
            merchant_id=route.credentials.merchant_id,
            test_mode=route.credentials.test_mode,
        )
        self._provider = provider
        self._books = books
        self._lines = self._asked = 0
        self._kinds: Counter[str] = Counter()

    async def run(self, period: Period) -> Result:
        """Compare, both ways."""
        begun_at, pool = self._now(), self._platform.pool
        read_since = period.since - MARGIN
        await self._read(Period(since=read_since, until=period.until + MARGIN))
        # What the provider booked long before we learned of it is on an older part of its statement.
        earliest = await self._earliest(period, read_since)
        if earliest < read_since:
            await self._read(Period(since=earliest - MARGIN, until=read_since))
            read_since = earliest - MARGIN
        async for difference in self._differences(period, read_since):
            await self._see(difference)
        closed = await operations.close_agreed(pool, self._books, period, begun_at=begun_at, now=self._now())
        await statements.drop(pool, self._books, booked_before=self._now() - KEPT, seen_before=self._seen_at() - KEPT)
        return Result(
            lines=self._lines,
            entries=await self._entries(period),
            kinds=dict(self._kinds),
            asked=self._asked,
            closed=closed,
            open=await discrepancies.open_count(
                pool,
                account_id=self._books.account_id,
                provider_account_id=self._books.provider_account_id,
            ),
        )

    async def _read(self, period: Period) -> None:
        """Keep the lines of the statement that are about this account, or about no one's payments and ours to show."""
        pool = self._platform.pool
        eldest = await queries.eldest(pool, self._merchant)
        async for lines in self._pages(period):
            sharing = await self._sharing(lines)
            ours = [
                line
                for line in lines
                if (tag := ids.tag_of(line.payment_id, "pay")) == self._account.tag
                or (tag not in sharing and eldest == self._books.provider_account_id)
            ]
            self._lines += await statements.keep(pool, self._books, ours, seen_at=self._seen_at())

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

    async def _earliest(self, period: Period, since: datetime) -> datetime:
        """Return when the oldest payment or refund began whose movement is not on the statement as it was read."""
        async for difference in self._differences(period, since):
            if difference.ours is not None and difference.ours.booked_at is not None:
                since = min(since, difference.ours.asked_at)
        return since

    async def _differences(self, period: Period, read_since: datetime) -> AsyncIterator[Difference]:
        """Yield what differs in a period, and what the lines that were read before it differ in from our books."""
        async for stretch in self._stretches(Period(since=read_since, until=period.until), period.since):
            for difference in await queries.differences(
                self._platform.pool, self._books, stretch, entries_since=period.since
            ):
                yield difference

    async def _entries(self, period: Period) -> int:
        """Return how many movements of the period our books have."""
        return sum(
            [
                await queries.entries(self._platform.pool, self._books, stretch)
                async for stretch in self._stretches(period, period.since)
            ]
        )

    async def _stretches(self, period: Period, entries_since: datetime) -> AsyncIterator[Period]:
        rest = period
        while rest.since < rest.until:
            stretch = await queries.stretch(
                self._platform.pool, self._books, rest, entries_since=entries_since, movements=ENTRIES
            )
            yield stretch
            rest = Period(since=stretch.until, until=period.until)

    async def _see(self, difference: Difference) -> None:
        self._kinds[difference.kind] += 1
        self._asked += await operations.see(
            self._platform.pool, self._account, self._books, difference, now=self._now()
        )

    def _now(self) -> datetime:
        return self._platform.clock.now(test_mode=self._credentials.test_mode)

    def _seen_at(self) -> datetime:
        """Return the moment by the clock that no one moves."""
        return self._platform.clock.now(test_mode=False)
