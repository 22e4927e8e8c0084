import pytest

from kassa.db.pool import transaction
from kassa.errors import DatabaseUnavailable
from tests.support.postgres import Database


async def test_a_primary_that_became_a_replica_is_one_that_is_away(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with transaction(database.pool) as connection:
            await connection.execute("SET TRANSACTION READ ONLY")
            await connection.execute("UPDATE test_clock SET test_offset = '1 hour'")
