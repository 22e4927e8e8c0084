"""The list's stretches: read one after the other, they are the whole list in its order."""

from datetime import UTC, datetime, timedelta
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from kassa.invoices.listing.model import Filters, Place, Stretch, Walk, stretches

BEGAN_AT = datetime(2026, 3, 1, tzinfo=UTC)

moments = st.integers(0, 12).map(lambda hours: BEGAN_AT + timedelta(hours=hours))
rows = st.lists(
    st.tuples(moments, st.integers(0, 6)).map(lambda drawn: (drawn[0], drawn[0] + timedelta(hours=drawn[1]))),
    max_size=30,
)
Row = tuple[datetime, str, datetime]


def chosen(row: Row, filters: Filters) -> bool:
    created_at, _, updated_at = row
    return (
        (filters.created_from is None or created_at >= filters.created_from)
        and (filters.created_until is None or created_at < filters.created_until)
        and (filters.updated_from is None or updated_at >= filters.updated_from)
        and (filters.updated_until is None or updated_at < filters.updated_until)
    )


def walked(drawn: list[Row], filters: Filters, walk: Walk) -> list[Row]:
    """Return what a walk comes through, in its order."""
    start = (walk.start.created_at, walk.start.invoice_id) if walk.start else None
    reached = [row for row in drawn if start is None or ((row[:2] > start) if walk.newer else (row[:2] < start))]
    return sorted((row for row in reached if chosen(row, filters)), reverse=not walk.newer)


@given(
    drawn=rows,
    filters=st.builds(
        Filters,
        created_from=st.none() | moments,
        created_until=st.none() | moments,
        updated_from=st.none() | moments,
        updated_until=st.none() | moments,
    ),
    start=st.none() | moments.map(lambda moment: Place(created_at=moment, invoice_id="m")),
    newer=st.booleans(),
)
def test_stretches_are_the_list_cut_in_two(
    drawn: list[tuple[datetime, datetime]], filters: Filters, start: Place | None, *, newer: bool
) -> None:
    invoices = [(made, chr(ord("a") + number % 26), updated) for number, (made, updated) in enumerate(drawn)]
    walk = Walk(start=start, newer=newer)
    parts = [walked(invoices, stretch.filters, walk) for stretch in stretches(filters, walk)]
    assert list(chain(*parts)) == walked(invoices, filters, walk)


def test_only_what_was_updated_since_a_moment_is_read_in_two_ways() -> None:
    assert stretches(Filters(), Walk()) == [Stretch(filters=Filters())]
    until = Filters(updated_until=BEGAN_AT)
    assert stretches(until, Walk()) == [Stretch(filters=Filters(updated_until=BEGAN_AT, created_until=BEGAN_AT))]
    since = stretches(Filters(updated_from=BEGAN_AT), Walk())
    assert [stretch.by_update for stretch in since] == [False, True]
    back = stretches(Filters(updated_from=BEGAN_AT), Walk(newer=True))
    assert back == since[::-1]
