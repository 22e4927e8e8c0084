"""SQL over exchange rates: one statement a function. They are the gateway's own and name no account."""

from collections.abc import Sequence
from datetime import datetime

from kassa.db.pool import Executor
from kassa.rates.model import BANKS, Quote, Source


async def latest(executor: Executor, *, now: datetime) -> list[Quote]:
    """Return each bank's rates of its latest day, however old, and each pair's last manual rate that has not ended."""
    rows = await executor.fetch(
        """
        SELECT r.source, r.base, r.quote, r.rate, r.valid_from, r.valid_until
        FROM unnest($1::text[]) AS bank (source)
        CROSS JOIN LATERAL (SELECT max(valid_from) AS day FROM exchange_rates e WHERE e.source = bank.source) AS last
        JOIN exchange_rates r ON r.source = bank.source AND r.valid_from = last.day
        UNION ALL
        (SELECT DISTINCT ON (m.base, m.quote) m.source, m.base, m.quote, m.rate, m.valid_from, m.valid_until
         FROM exchange_rates m
         WHERE m.source = 'manual' AND (m.valid_until IS NULL OR m.valid_until > $2)
         ORDER BY m.base, m.quote, m.valid_from DESC)
        """,
        list(BANKS),
        now,
    )
    return [Quote(**{**row, "source": Source(row["source"])}) for row in rows]


async def save(executor: Executor, quotes: Sequence[Quote], *, now: datetime) -> None:
    """Write rates; an existing one of the same source, pair and moment gets the new value."""
    await executor.execute(
        """
        INSERT INTO exchange_rates AS e (source, base, quote, rate, valid_from, valid_until, recorded_at)
        SELECT source, base, quote, rate, valid_from, valid_until, $7
        FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::timestamptz[], $6::timestamptz[])
            AS given (source, base, quote, rate, valid_from, valid_until)
        ON CONFLICT (source, valid_from, base, quote) DO UPDATE
            SET rate = excluded.rate, valid_until = excluded.valid_until, recorded_at = excluded.recorded_at
            WHERE (e.rate, e.valid_until) IS DISTINCT FROM (excluded.rate, excluded.valid_until)
        """,
        [each.source for each in quotes],
        [each.base for each in quotes],
        [each.quote for each in quotes],
        [each.rate for each in quotes],
        [each.valid_from for each in quotes],
        [each.valid_until for each in quotes],
        now,
    )


async def end_manual(executor: Executor, *, base: str, quote: str, now: datetime) -> bool:
    """End a pair's manual rates; return whether there was one."""
    done: str = await executor.execute(
        """
        UPDATE exchange_rates SET valid_until = $3
        WHERE source = 'manual' AND base = $1 AND quote = $2 AND (valid_until IS NULL OR valid_until > $3)
        """,
        base,
        quote,
        now,
    )
    return done != "UPDATE 0"
