"""The line to the database breaks at any message: nothing is lost or done twice; ``make torture`` cuts more."""

from pathlib import Path

from tests.support.merchant import Merchant
from tests.support.postgres import Database
from tests.support.visitor import Visitor
from tests.torture.cuts import cut

CUTS = 40


async def test_a_line_that_breaks_at_any_moment_loses_and_doubles_nothing(
    folder: Path, database: Database, merchant: Merchant, payer: Visitor
) -> None:
    assert (await cut(folder, database.url, merchant, payer, cuts=CUTS)).cuts >= CUTS
