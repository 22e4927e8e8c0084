"""The account's profile: who the merchant is and how its account is set, and never a key (contract#private-api)."""

from tests.support.api import Client
from tests.support.office import Office


async def test_a_profile_is_the_account_without_its_keys(office: Office) -> None:
    shop = await office.account(
        services=(),
        callback_url="https://shop.example/callbacks",
        forbid_public_access="true",
        attempts="3",
        merchant_url="https://shop.example",
    )
    answer = await shop.call("GET", "/api/account/profile")
    row = (await office.fetch("SELECT external_mid, created_at FROM accounts WHERE account_id = $1", shop.keys.id))[0]
    assert answer.document == {
        "data": {
            "type": "account",
            "id": shop.keys.id,
            "attributes": {
                "name": "Shop",
                "description": "",
                "icon": None,
                "website": None,
                "currency": "EUR",
                "external_mid": row["external_mid"],
                "created": int(row["created_at"].timestamp()),
                "forbid_public_access": True,
                "only_final_callbacks": False,
                "callback_url": "https://shop.example/callbacks",
                "return_url": None,
                "merchant_url": "https://shop.example",
                "lifetime_minutes": 30,
                "attempts": 3,
            },
            "links": {"self": "/api/account/profile"},
        }
    }
    keys = shop.keys
    secrets = (keys.api_key, keys.public_key_test, keys.public_key_live, keys.private_key_test, keys.private_key_live)
    assert [secret for secret in secrets if secret in answer.text] == []


async def test_it_is_at_both_bases_with_and_without_a_slash(fresh: Client) -> None:
    expected = (await fresh.call("GET", "/api/account/profile")).document
    for path in ("/account/profile", "/account/profile/", "/api/account/profile/?x=1"):
        assert (await fresh.call("GET", path)).document == expected
