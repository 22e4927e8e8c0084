"""The bank as one ASGI application, served on a port of its own by ``kassa serve --demo``."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from kassa.bank import pages
from kassa.bank.acquirer import Acquirer
from kassa.bank.books import Books
from kassa.bank.desk import Desk
from kassa.bank.fault_injection import FaultInjector
from kassa.bank.notifications import Notifier
from kassa.bank.payer import PayerPages
from kassa.clock import Clock
from kassa.errors import KassaError
from kassa.outbound import Outbound

BODY_BYTES_MAX = 64 * 1024


def create(home: Path, clock: Clock, merchants: Mapping[str, str], outbound: Outbound) -> Starlette:
    """Return the bank, with its books in ``home/bank``; ``merchants`` maps merchant ids to their secrets.

    Its lifespan sends the notifications, so the server that runs it has to run the lifespan too.
    """
    books = Books(home / "bank")
    notifier = Notifier(books, merchants, outbound)
    faults = FaultInjector(books)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sending = asyncio.create_task(notifier.run(), name="bank notifications")
        try:
            yield
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            books.close()

    return Starlette(
        routes=[
            *Acquirer(books, clock, merchants, faults).routes(),
            *faults.routes(),
            *PayerPages(books, clock).routes(),
            *Desk(books, clock, faults).routes(),
            *pages.routes(),
        ],
        exception_handlers={KassaError: _refuse},
        lifespan=lifespan,
        max_body_size=BODY_BYTES_MAX,
    )


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, KassaError):
        raise error
    headers = {"WWW-Authenticate": "Basic"} if error.status is HTTPStatus.UNAUTHORIZED else None
    content = {"error": {"status": int(error.status), "message": error.detail}}
    return Response(msgspec.json.encode(content), error.status, headers, media_type="application/json")
