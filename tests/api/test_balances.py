"""The account's balances over the API (contract#private-api), to the letter."""

import pytest

from tests.support import ledger
from tests.support.api import Client
from tests.support.ledger import paid
from tests.support.office import Office

PATH = "/api/account/balances"


def currency(account_id: str, active: str, reserved: str = "0.00", pending: str = "0.00") -> dict[str, object]:
    zero = "0" if "." not in active else "0.00"
    return {
        "account_id": account_id,
        "active_balance": active,
        "pending_balance": pending,
        "reserved_balance": reserved,
        "overdraft_limit": zero,
        "balance_lower_limit": None,
    }


async def test_an_account_that_nothing_has_happened_to_has_its_settlement_currency(fresh: Client) -> None:
    answer = await fresh.call("GET", PATH)
    account_id = answer.data["attributes"]["currency_accounts"]["EUR"]["account_id"]
    tag = fresh.keys.id.removeprefix("coma_")[:4]
    assert account_id.startswith(f"comca_{tag}")
    assert len(account_id) == len("comca_") + 16
    assert answer.text == (
        f'{{"data":{{"type":"account","id":"{fresh.keys.id}","attributes":{{"currency_accounts":{{"EUR":'
        f'{{"account_id":"{account_id}","active_balance":"0.00","pending_balance":"0.00","reserved_balance":"0.00",'
        '"overdraft_limit":"0.00","balance_lower_limit":null}}},"links":{"self":"/api/account/balances"}}}'
    )


async def test_balances_are_those_of_the_mode_and_of_this_moment(office: Office, fresh: Client) -> None:
    account_id = fresh.keys.id
    await ledger.post(office.pool, account_id, paid(0), paid(1, currency="JPY", paid=500, fee=0, reserve=0))
    await ledger.post(office.pool, account_id, paid(2, currency="EUR", paid=7, fee=0, reserve=0), test_mode=False)
    test = (await fresh.call("GET", f"{PATH}?test_mode=true")).data["attributes"]["currency_accounts"]
    same = (await fresh.call("GET", f"{PATH}?filter[test_mode]=true")).data["attributes"]["currency_accounts"]
    assert same == test
    live = (await fresh.call("GET", PATH)).data["attributes"]["currency_accounts"]
    ids = {
        mode: {name: each["account_id"] for name, each in found.items()} for mode, found in (("t", test), ("l", live))
    }
    assert list(test) == ["EUR", "JPY", "USD"]
    assert test == {
        "EUR": currency(ids["t"]["EUR"], "0.00"),
        "JPY": {**currency(ids["t"]["JPY"], "500"), "pending_balance": "0", "reserved_balance": "0"},
        "USD": currency(ids["t"]["USD"], "8.75", "1.00"),
    }
    assert live == {"EUR": currency(ids["l"]["EUR"], "0.07")}
    assert len({*ids["t"].values(), *ids["l"].values()}) == 4


async def test_the_ids_of_currencies_stay(fresh: Client) -> None:
    first, second = [(await fresh.call("GET", path)).document for path in (PATH, "/account/balances/")]
    assert first == second


async def test_nobody_sees_another_accounts_balances(office: Office, fresh: Client) -> None:
    other = await office.account()
    await ledger.post(office.pool, other.keys.id, paid(0), test_mode=False)
    assert list((await fresh.call("GET", PATH)).data["attributes"]["currency_accounts"]) == ["EUR"]
    assert (await fresh.call("GET", PATH, anonymous=True)).status == 401


@pytest.mark.parametrize("query", ["test_mode=maybe", "test_mode=true&filter[test_mode]=false"])
async def test_a_mode_that_is_none_is_refused(fresh: Client, query: str) -> None:
    answer = await fresh.call("GET", f"{PATH}?{query}")
    detail = (
        "filter[test_mode] should be true or false." if "maybe" in query else "The query has filter[test_mode] twice."
    )
    assert (answer.status, answer.document["errors"][0]["detail"]) == (400, detail)
