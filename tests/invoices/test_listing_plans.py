"""The list stays flat: whatever is asked for and however deep, a page reads little more than it shows (P9 beside)."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from kassa.db import pool, view
from kassa.db.pool import Connection, Pool
from kassa.db.view import account_view
from kassa.errors import DatabaseUnavailable
from kassa.invoices.listing import queries, reading
from kassa.invoices.listing.model import Filters, Page, Place, Stretch, Walk, stretches
from kassa.invoices.rules.invoice import Status
from kassa.platform import Platform
from tests.support import history
from tests.support import platform as platforms
from tests.support.history import LONG_AGO, MERCHANT, MIDDLE, OTHER
from tests.support.postgres import Database

LIMIT = 21
READ_MAX = 5 * LIMIT
SORTED_MAX = LIMIT
BLOCKS_MAX = 400
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

WALKS = {
    "the newest": Walk(),
    "older than one of long ago": Walk(start=Place(created_at=LONG_AGO, invoice_id="cpi_AAAA")),
    "newer than one of long ago": Walk(start=Place(created_at=LONG_AGO, invoice_id="cpi_AAAA"), newer=True),
}
COMMON = {
    "all": Filters(),
    "live": Filters(test_mode=False),
    "processed": Filters(status=Status.PROCESSED),
    "dollars": Filters(currency="USD"),
    "a service": Filters(service="payment_card_eur_hpp"),
    "paid": Filters(resolution="ok"),
    "nobody's business": Filters(moderation_required=False),
    "live and processed": Filters(test_mode=False, status=Status.PROCESSED),
    "processed euros": Filters(status=Status.PROCESSED, currency="EUR"),
    "created in a range": Filters(created_from=LONG_AGO - DAY, created_until=MIDDLE, status=Status.PROCESS_FAILED),
    "updated until": Filters(updated_until=MIDDLE),
}
RARE = {
    "test": (Filters(test_mode=True), "invoices_listed"),
    "failed": (Filters(status=Status.PROCESS_FAILED), "invoices_listed_by_status"),
    "no such status": (Filters(status=Status.CHARGED_BACK), "invoices_listed_by_status"),
    "a rare service": (Filters(service="payment_card_gbp_hpp"), "invoices_listed_by_service"),
    "a rare currency": (Filters(currency="GBP", test_mode=False), "invoices_listed_by_currency"),
    "somebody's business": (Filters(moderation_required=True), "invoices_moderated"),
    "a rare resolution": (Filters(resolution="provider_error"), "invoices_listed_by_resolution"),
}


@pytest.fixture(scope="module")
async def owner(module_database: Database) -> AsyncIterator[asyncpg.Connection]:
    async with history.written(module_database) as connection:
        yield connection


@pytest.fixture(scope="module")
async def views(module_database: Database, owner: asyncpg.Connection) -> AsyncIterator[Pool]:
    connections = await pool.connect(module_database.url, role=view.ROLE, size=2)
    yield connections
    await pool.close(connections, seconds=5)


@pytest.fixture(scope="module")
async def platform(module_database: Database, owner: asyncpg.Connection) -> AsyncIterator[Platform]:
    async with platforms.opened(module_database) as opened:
        yield opened


@asynccontextmanager
async def said(connections: Pool) -> AsyncIterator[list[str]]:
    """Give the statements that are said on a pool meanwhile."""
    statements: list[str] = []

    def note(logged: LoggedQuery) -> None:
        statements.append(logged.query)

    async with connections.acquire() as one, connections.acquire() as other:
        one.add_query_logger(note)
        other.add_query_logger(note)
    yield statements
    async with connections.acquire() as one, connections.acquire() as other:
        one.remove_query_logger(note)
        other.remove_query_logger(note)


async def plan(connection: Connection, stretch: Stretch, walk: Walk) -> Any:
    """Return how a page was read."""
    text, values = queries.page_statement(stretch, walk, account_id=MERCHANT, limit=LIMIT)
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", *values)
    return json.loads(explained)[0]["Plan"]


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def kinds(found: Any) -> set[str]:
    return {node["Node Type"] for node in nodes(found)}


def scans(found: Any) -> list[Any]:
    """Return the parts of a plan that read invoices."""
    return [node for node in nodes(found) if node.get("Index Name", "").startswith("invoices")]


def rows_read(found: Any) -> int:
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in scans(found)
    )


def blocks_read(found: Any) -> int:
    blocks: int = found["Shared Hit Blocks"] + found["Shared Read Blocks"]
    return blocks


def rows_sorted(found: Any) -> int:
    return sum(
        round(child["Actual Rows"] * child["Actual Loops"])
        for node in nodes(found)
        if "Sort" in node["Node Type"]
        for child in node["Plans"]
    )


def assert_flat(found: Any) -> None:
    """Each part is a walk along an index that the page's limit ends; of a mode with few rows, those may be sorted."""
    assert not {kind for kind in kinds(found) if "Seq" in kind or "Bitmap" in kind or "Hash" in kind}
    assert scans(found)
    assert rows_read(found) <= READ_MAX
    assert rows_sorted(found) <= SORTED_MAX
    assert blocks_read(found) <= BLOCKS_MAX


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("filters", COMMON.values(), ids=COMMON)
async def test_a_page_of_what_is_common_is_a_short_walk_along_an_index(
    views: Pool, filters: Filters, walk: Walk
) -> None:
    async with account_view(views, account_id=MERCHANT, whole_tables=False) as connection:
        (stretch,) = stretches(filters, walk)
        found = await plan(connection, stretch, walk)
    assert_flat(found)
    assert found["Actual Rows"] == LIMIT


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("filters,index", RARE.values(), ids=RARE)
async def test_a_page_of_what_is_rare_is_found_by_its_own_index(
    views: Pool, filters: Filters, index: str, walk: Walk
) -> None:
    async with account_view(views, account_id=MERCHANT, whole_tables=False) as connection:
        (stretch,) = stretches(filters, walk)
        found = await plan(connection, stretch, walk)
    assert_flat(found)
    assert {node["Index Name"] for node in scans(found)} == {index}


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
async def test_a_page_of_what_was_updated_in_a_range_reads_what_was_created_in_it_in_order(
    views: Pool, walk: Walk
) -> None:
    for filters in (
        Filters(updated_from=LONG_AGO - DAY / 4, updated_until=LONG_AGO + DAY),
        Filters(updated_from=LONG_AGO - DAY / 4, status=Status.PROCESSED, test_mode=False),
    ):
        async with account_view(views, account_id=MERCHANT, whole_tables=False) as connection:
            (created,) = [stretch for stretch in stretches(filters, walk) if not stretch.by_update]
            found = await plan(connection, created, walk)
        assert_flat(found)
        assert found["Actual Rows"] == LIMIT


@pytest.mark.parametrize(
    "filters",
    [
        Filters(updated_from=MIDDLE, updated_until=MIDDLE + MINUTE),
        Filters(updated_from=MIDDLE, updated_until=MIDDLE + DAY),
        Filters(updated_from=MIDDLE),
        Filters(updated_from=MIDDLE, status=Status.PROCESSED, test_mode=False),
        Filters(updated_from=MIDDLE, status=Status.PROCESS_FAILED, currency="GBP"),
    ],
)
async def test_what_was_updated_after_a_moment_and_created_before_it_is_found_by_its_update(
    views: Pool, filters: Filters
) -> None:
    async with account_view(views, account_id=MERCHANT, whole_tables=False) as connection:
        (sparse,) = [stretch for stretch in stretches(filters, Walk()) if stretch.by_update]
        found = await plan(connection, sparse, Walk())
        both = await connection.fetchval(
            "SELECT count(*) FROM invoices WHERE created_at < $1 AND updated_at >= $1"
            " AND updated_at < coalesce($2::timestamptz, 'infinity')",
            filters.updated_from,
            filters.updated_until,
        )
    assert {node["Index Name"] for node in scans(found)} == {"invoices_listed_by_update"}
    assert rows_read(found) <= both < 300


async def test_an_invoice_is_found_by_its_name_alone(views: Pool) -> None:
    for filters in (
        Filters(reference_id="order 777"),
        Filters(reference_id="order 777", status=Status.PROCESS_FAILED),
        Filters(reference_id="nothing", status=Status.PROCESSED, test_mode=False),
    ):
        async with account_view(views, account_id=MERCHANT, whole_tables=False) as connection:
            (stretch,) = stretches(filters, Walk())
            found = await plan(connection, stretch, Walk())
        assert {node["Index Name"] for node in scans(found)} == {"invoices_reference"}
        assert rows_read(found) <= 1


async def test_a_page_takes_the_same_few_statements_however_many_invoices_it_shows(
    platform: Platform, owner: asyncpg.Connection
) -> None:
    cursor = await owner.fetchval(
        "SELECT invoice_id FROM invoices WHERE account_id = $1 AND created_at > $2 ORDER BY created_at LIMIT 1",
        MERCHANT,
        MIDDLE,
    )
    for size in (1, 100):
        async with said(platform.view) as statements:
            listed = await reading.read(platform, Filters(), Page(size=size, before=cursor), account_id=MERCHANT)
        assert (len(listed.views), listed.newer, listed.older) == (size, True, True)
        # BEGIN and COMMIT, the view's entry, the cursor's place, the page, and whether the list goes on behind it.
        assert len(statements) == 6, statements
        assert {view.invoice.account_id for view in listed.views} == {MERCHANT}
        paid = [view for view in listed.views if view.payment is not None]
        assert [len(view.callbacks) for view in paid] == [1] * len(paid)
        assert bool(paid) is (size == 100)


async def test_a_view_shows_one_accounts_rows_to_a_statement_that_forgot_to_name_it(views: Pool) -> None:
    tables = ("invoices", "customers", "payments", "callbacks")
    for account_id in (MERCHANT, OTHER):
        async with account_view(views, account_id=account_id) as connection:
            for table in tables:
                seen = await connection.fetch(f"SELECT DISTINCT account_id FROM {table}")
                assert [row["account_id"] for row in seen] == [account_id], table


async def test_a_list_without_its_account_in_the_condition_still_shows_no_others_rows(views: Pool) -> None:
    walk = Walk()
    (stretch,) = stretches(Filters(), walk)
    text, values = queries.page_statement(stretch, walk, account_id=OTHER, limit=LIMIT)
    assert "WHERE account_id = $1 AND" in text
    careless = text.replace("WHERE account_id = $1 AND", "WHERE $1::text IS NOT NULL AND")
    async with account_view(views, account_id=MERCHANT) as connection:
        shown = await connection.fetch(careless, *values)
        assert [row["account_id"] for row in shown] == [MERCHANT] * LIMIT
        assert await connection.fetch(text, *values) == []


async def test_outside_of_a_view_its_role_sees_nothing(views: Pool) -> None:
    async with account_view(views, account_id=MERCHANT) as connection:
        assert await connection.fetchval("SELECT count(*) FROM customers") > 0
    for _ in range(2):
        assert await views.fetchval("SELECT count(*) FROM invoices") == 0


async def test_a_view_changes_nothing(views: Pool) -> None:
    # The server says the same of a transaction that reads only and of a primary that was demoted.
    with pytest.raises((DatabaseUnavailable, asyncpg.InsufficientPrivilegeError)):
        async with account_view(views, account_id=MERCHANT) as connection:
            await connection.execute("UPDATE invoices SET description = 'x'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await views.execute("UPDATE invoices SET description = 'x'")
