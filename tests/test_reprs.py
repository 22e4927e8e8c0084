"""What holds secrets prints none of them, so that no log line or error can carry one by accident."""

import pytest

from kassa.accounts.model import Keys, NewAccount, NewKey
from kassa.config import Settings
from kassa.db.home import ServerFile
from kassa.serving.ready import ReadyFile
from tests.support.sessions import ACCOUNT

SECRET = "hidden-word"
URL = f"postgresql://kassa_owner:{SECRET}@127.0.0.1:5432/kassa"
KEYS = Keys(
    id=ACCOUNT.account_id,
    api_key=SECRET,
    public_key_test="pk_test_x",
    public_key_live="pk_live_x",
    private_key_test=SECRET,
    private_key_live=SECRET,
)


@pytest.mark.parametrize(
    "holder",
    [
        Settings(secret_key=SECRET, database_url=URL, token_private_key=SECRET),
        ServerFile(database_url=URL, pid=7),
        ReadyFile(
            base_url="http://a",
            gate_url="http://b",
            bank_url=None,
            health_url="http://c",
            database_url=URL,
            account=KEYS,
        ),
        KEYS,
        NewAccount(account=ACCOUNT, keys=KEYS),
        NewKey(key_id="key_1", text=SECRET),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_what_holds_secrets_prints_none(holder: object) -> None:
    assert SECRET not in f"{holder!r} {holder} {[holder]}"
    assert repr(holder).startswith(type(holder).__name__)
