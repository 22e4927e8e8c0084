"""What changes an account's services; every change takes effect within a second (``directory.KEPT_SECONDS``)."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from kassa import ids
from kassa.accounts import history
from kassa.accounts import queries as accounts
from kassa.accounts.model import Account, AccountService
from kassa.accounts.services import queries, terms
from kassa.audit.operations import record
from kassa.clock import Clock
from kassa.db.pool import Connection, Pool, transaction, unit_of_work
from kassa.errors import Invalid, NotFound

TEST_PROVIDER: Final = "test"


@unit_of_work
async def add(
    pool: Pool, clock: Clock, account_id: str, code: str, texts: Mapping[str, str], *, by: str
) -> AccountService:
    """Switch a service of the catalogue on, on the terms that are given; those that are not stay as they are.

    ``texts`` are ``Terms`` as an operator writes them, amounts in the service's currency.
    Raises ``NotFound`` without such an account, ``Invalid`` for a code that the catalogue does not have or for terms
    that cannot be.
    """
    now = clock.now(test_mode=False)
    async with transaction(pool) as connection:
        account = await accounts.account_locked(connection, account_id=account_id)
        if account is None:
            raise NotFound("There is no such account.")
        async with recorded(connection, account_id, now=now, by=by):
            await _switch_on(connection, account, [code], now)
            limits = await queries.catalogue_limits(connection, codes=[code])
            service = await _owned(connection, account_id=account_id, code=code)
            await queries.save_terms(
                connection, terms.apply(service, texts, limits[code]), account_id=account_id, code=code
            )
        return await _owned(connection, account_id=account_id, code=code)


async def switch_on(connection: Connection, account: Account, codes: Sequence[str], *, now: datetime, by: str) -> None:
    """Give an account services of the catalogue, all or none, with the test provider behind each in test mode.

    Raises ``Invalid`` for codes that the catalogue does not have.
    """
    async with recorded(connection, account.account_id, now=now, by=by):
        await _switch_on(connection, account, codes, now)


@asynccontextmanager
async def recorded(connection: Connection, account_id: str, *, now: datetime, by: str) -> AsyncIterator[None]:
    """Write into the account's history how its services differ at the end of the block; its row is locked.

    That the test provider takes a service's payments in test mode goes without saying.
    """
    before = await queries.services(connection, account_id=account_id)
    yield
    after = await queries.services(connection, account_id=account_id)
    await record(connection, history.services_changed(before, after), account_id=account_id, by=by, now=now)


async def _switch_on(connection: Connection, account: Account, codes: Sequence[str], now: datetime) -> None:
    codes = list(dict.fromkeys(codes))
    known = await queries.catalogue_limits(connection, codes=codes)
    refuse_unknown(codes, known, "The catalogue does not have this service.")
    await queries.switch_on(
        connection,
        account_id=account.account_id,
        account_service_ids=[ids.new_id("comcps", account.tag) for _ in codes],
        codes=codes,
        created_at=now,
    )
    await queries.insert_routes(connection, account_id=account.account_id, codes=codes, provider=TEST_PROVIDER)


def refuse_unknown(codes: Sequence[str], known: Collection[str], text: str) -> None:
    """Raise ``Invalid`` with a text for each code that is not known."""
    unknown = {code: text for code in codes if code not in known}
    if unknown:
        raise Invalid(unknown)


async def _owned(connection: Connection, *, account_id: str, code: str) -> AccountService:
    service = await queries.service(connection, account_id=account_id, code=code)
    if service is None:
        raise NotFound("The account does not have this service.")
    return service
