"""The short form of a merchant's return after an outage; ``make torture`` lets ten thousand callbacks wait for him."""

from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.torture.backlog import drained

COUNT = 200


async def test_a_merchant_who_was_away_is_told_all_of_it_four_at_a_time_and_nobody_else_waits(
    office: Office, merchant: Merchant
) -> None:
    assert (await drained(office, merchant, count=COUNT)).count >= COUNT
