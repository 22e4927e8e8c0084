import hashlib
import re

import pytest

from kassa import ids
from kassa.accounts import keys
from kassa.accounts.model import KeyKind

WHOLE = "ClSQHi2T9WXuFa76WcwwBB6rspRpg6ANM69cS9zNO_-"


@pytest.mark.parametrize(
    "kind,test_mode,shape",
    [
        ("api", None, r"[A-Za-z0-9_-]{43}"),
        ("public", True, r"pk_test_[A-Za-z0-9_-]{43}"),
        ("public", False, r"pk_live_[A-Za-z0-9_-]{43}"),
        ("private", True, r"sk_test_[A-Za-z0-9_-]{43}"),
        ("private", False, r"sk_live_[A-Za-z0-9_-]{43}"),
    ],
)
def test_a_key_tells_its_kind_and_mode(
    kind: KeyKind,
    test_mode: bool | None,  # noqa: FBT001  # pytest names what it hands over
    shape: str,
) -> None:
    made = {keys.new_key(kind, test_mode=test_mode) for _ in range(100)}
    assert len(made) == 100
    assert [key for key in made if not re.fullmatch(shape, key)] == []


def test_an_accounts_first_keys_are_one_of_each() -> None:
    made = keys.new_keys()
    assert ids.tag_of(made.id, "coma") is not None
    shown = [made.api_key, made.public_key_test, made.public_key_live, made.private_key_test, made.private_key_live]
    assert [key[:-43] for key in shown] == ["", "pk_test_", "pk_live_", "sk_test_", "sk_live_"]


@pytest.mark.parametrize(
    "text", [WHOLE, f"pk_{WHOLE}", f"pk_prod_{WHOLE}", f"sk_test_{WHOLE}", f"pk_test_{WHOLE}A", f"pk_test_{WHOLE}\n"]
)
def test_what_cannot_be_a_public_key_is_known_by_its_look(text: str) -> None:
    assert not keys.is_public_key(text)
    assert keys.is_public_key(f"pk_test_{WHOLE}")


def test_a_key_is_found_by_its_sha_256() -> None:
    assert keys.digest(WHOLE) == hashlib.sha256(WHOLE.encode()).digest()


def test_a_hint_shows_no_more_than_the_last_four_characters() -> None:
    assert [keys.hint(WHOLE), keys.hint(f"sk_live_{WHOLE}")] == ["…NO_-", "sk_live_…NO_-"]


def test_values_that_hold_keys_do_not_show_them() -> None:
    made = keys.new_keys()
    assert repr(made) == str(made) == f"Keys({made.id}, …)"
