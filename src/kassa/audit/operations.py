"""What adds to an account's history."""

from collections.abc import Iterable
from datetime import datetime

from kassa.audit import queries
from kassa.audit.model import Change
from kassa.db.pool import Connection


async def record(
    connection: Connection, changes: Iterable[Change | None], *, account_id: str, by: str, now: datetime
) -> None:
    """Write changes into an account's history, in the transaction that carries them out; None is no change.

    ``by`` says who changed it: ``operator NAME``, or ``kassa`` itself.
    """
    found = [each for each in changes if each is not None]
    if found:
        await queries.insert_events(connection, found, account_id=account_id, changed_by=by, changed_at=now)
