"""A machine is lost and its backup restored; ``make torture`` does it twenty times."""

from pathlib import Path

from tests.support.merchant import Merchant
from tests.support.postgres import Database
from tests.torture.backups import backed_up


async def test_a_backup_taken_under_load_is_whole_and_what_it_lacks_is_seen(
    folder: Path, database: Database, merchant: Merchant
) -> None:
    done = await backed_up(folder, database.url, merchant, backups=1)
    assert done.restored == 1
    assert done.missing
    assert done.told
