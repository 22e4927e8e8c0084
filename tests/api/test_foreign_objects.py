"""No one opens another's objects: every route x foreign object x kind of credential (G9, P9).

The matrix is made from the route tables. A route of the private API is in it by itself; any other has to say below what
opens it, and a parameter what it names: else the first tests here fail.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from kassa import app
from kassa.api.description.operation import Caller, Described, RequestBody
from tests.support import offers
from tests.support import platform as platforms
from tests.support.api import CARD_USD, Client
from tests.support.office import Office
from tests.support.postgres import Database
from tests.support.serving import Served
from tests.support.waiting import until

REFUSED: Final = {401, 403, 404}

ID: Final = {
    "/public-api/payment-invoices/{invoice_id}",
    "/hpp/result/{invoice_id}",
    "/hpp/result/{invoice_id}/cancel",
    "/hpp/result/{invoice_id}/return",
    "/hpp/{session_id}",
    "/hpp/{session_id}/3ds",
    "/hpp/{session_id}/cancel",
    "/hpp/{session_id}/return",
}
"""Opened by the object's own id, which cannot be guessed (contract#authentication): only the whole one opens it."""
TOKEN: Final = {"/payment/sale", "/payment/sale/"}
"""Opened by the token of the one invoice that it is about."""
SIGNED: Final = {"/providers/{provider}/notifications/{provider_account_id}"}
"""Opened by a provider's signature."""
NOBODYS: Final = {
    "/healthz",
    "/openapi.json",
    "/docs",
    "/static/{path:path}",
    "/static/account.svg",
    "/static/methods/{method}/{picture}",
    "/static/accent/{colour}.css",
    "/static/logos/{tag}/{name}",
    "/",
    "/demo/shop",
    "/demo/shop/",
    "/demo/shop/buy",
    "/demo/shop/callbacks",
    "/demo/shop/orders/{reference_id}",
    "/demo/shop/orders/{reference_id}/unpaid",
    "/hpp",
    "/hpp/",
    "/public-api/payment-prerequest",
    "/public-api/payment-invoices",
    "/public-api/payment-invoices/process",
}
"""Names no object of an account in its address: the demo shop's orders are its own. ``cpi`` in a query is an invoice's
id, as in ``ID``."""
EVERYBODYS: Final = {"base": "USD", "quote": "EUR"}
"""Parameters of the private API's addresses that name what all accounts see: the currencies of a rate."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """A method and an address that is served."""

    gate: bool
    method: str
    path: str
    private: bool
    asks: RequestBody | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def walk(routes: Iterable[BaseRoute], prefix: str = "", *, gate: bool) -> Iterator[Address]:
    """Yield all that a table of routes serves, wherever it is mounted."""
    for route in routes:
        operation = route.operation if isinstance(route, Described) else None
        if isinstance(route, Mount):
            yield from walk(route.routes, prefix + route.path, gate=gate)
        elif isinstance(route, Route) and isinstance(route.app, Starlette):
            yield from walk(route.app.routes, prefix, gate=gate)
        elif isinstance(route, Route) and route.methods:
            private = operation is not None and operation.caller is Caller.PRIVATE
            asks = operation.body if operation is not None else None
            for method in sorted(route.methods - {"HEAD"}):
                yield Address(gate=gate, method=method, path=prefix + route.path, private=private, asks=asks)
        else:
            pytest.fail(f"{route} is not described")


@pytest.fixture(scope="module")
async def table(module_database: Database) -> list[Address]:
    """Everything that the base URL and the gate serve, as they are put together."""
    async with platforms.opened(module_database) as platform:
        found: list[Address] = []
        for made, gate in ((app.base_app(platform), False), (app.gate_app(platform), True)):
            router = cast("Any", made)._app
            rest = getattr(router.default, "_app", router.default)
            found += [*walk(router.routes, gate=gate), *walk(rest.routes, gate=gate)]
    return found


@dataclass(frozen=True, kw_only=True)
class Things:
    """What an account has: values of the parameters of addresses."""

    shop: Client
    test: dict[str, str]
    live: dict[str, str]
    token: str

    def all(self, name: str) -> set[str]:
        """Return the account's values of a parameter, of both modes."""
        return {self.test[name], self.live[name]}


DISPUTED: Final = """
WITH disputed AS (
    INSERT INTO payments (account_id, payment_id, invoice_id, attempt_number, test_mode, status, resolution, provider,
        provider_account_id, merchant_id, amount, currency, client_ip, created_at, updated_at)
    SELECT account_id, replace(invoice_id, 'cpi_', 'pay_'), invoice_id, 1, test_mode, 'process_failed', 'declined',
        $2, $3, '', amount, currency, '', created_at, updated_at
    FROM invoices WHERE invoice_id = $1
    RETURNING *
)
INSERT INTO disputes (account_id, dispute_id, invoice_id, payment_id, test_mode, position, status, reason, amount,
    currency, provider_amount, provider_currency, total, unexpected, fee, reserve, held, booked, opened_at, updated_at)
SELECT account_id, replace(invoice_id, 'cpi_', 'dis_'), invoice_id, payment_id, test_mode, 1, 'open', '', 1, currency,
    1, currency, 1, false, 0, 0, 0, true, created_at, created_at
FROM disputed
RETURNING dispute_id
"""
"""A dispute for an invoice that has none, though nobody took money for it: who may read it is asked, not why it is."""


async def things(office: Office) -> Things:
    """Add an account with one of everything, in both modes."""
    shop = await office.account(services=(CARD_USD,))
    await offers.stand_behind(office, shop, CARD_USD)

    async def live() -> Any:
        made = await shop.create(test_mode=False, customer={"reference_id": "7", "email": "payer@live.example"})
        return made if made.status == 201 else None

    made = await shop.create(customer={"reference_id": "7", "name": "Jo Payer", "email": "payer@test.example"})
    of_live = await until(live, what="the live provider account to be seen")
    services = (await shop.call("GET", "/api/payment-services")).data
    providers = await office.fetch("SELECT * FROM provider_accounts WHERE account_id = $1", shop.keys.id)

    async def lease(*, test_mode: bool) -> str:
        asked = {"data": {"type": "callback-listeners", "attributes": {"test_mode": test_mode}}}
        opened = await shop.call("POST", "/api/callback-listeners", json_body=asked)
        return str(opened.data["id"])

    leases = {mode: await lease(test_mode=mode) for mode in (True, False)}

    async def parameters(answer: Any, *, test_mode: bool) -> dict[str, str]:
        flow = answer.attributes["flow_data"]
        (provider,) = [row for row in providers if row["test_mode"] is test_mode]
        of = (answer.data["id"], provider["provider"], provider["provider_account_id"])
        (dispute,) = await office.fetch(DISPUTED, *of)
        return {
            "dispute_id": dispute["dispute_id"],
            "invoice_id": answer.data["id"],
            "session_id": flow["metadata"]["sid"],
            "account_service_id": services[0]["id"],
            "provider": provider["provider"],
            "provider_account_id": provider["provider_account_id"],
            "listener_id": leases[test_mode],
        }

    return Things(
        shop=shop,
        test=await parameters(made, test_mode=True),
        live=await parameters(of_live, test_mode=False),
        token=made.attributes["flow_data"]["metadata"]["token"],
    )


@pytest.fixture(scope="module")
async def owner(office: Office) -> Things:
    """Whose the objects are."""
    return await things(office)


@pytest.fixture(scope="module")
async def other(office: Office) -> Things:
    """Who would like to open them."""
    return await things(office)


class Visit:
    """RequestBody for an address with a credential."""

    def __init__(self, office: Office, served: Served) -> None:
        self._session = office.session
        self._bases = {False: served.base_url, True: served.gate_url}

    async def __call__(
        self, what: Address, values: Mapping[str, str], credential: "Credential", *, query: str = ""
    ) -> tuple[int, str]:
        path = re.sub(r"{(\w+)(?::\w+)?}", lambda found: {**EVERYBODYS, **values}[found[1]], what.path)
        joined = "&".join(part for part in (query, credential.query) if part)
        body = what.asks.example if what.asks is not None and what.asks.example is not None else {}
        async with self._session.request(
            what.method,
            f"{self._bases[what.gate]}{path}{'?' if joined else ''}{joined}",
            headers=credential.headers,
            json=dict(body) if what.method == "POST" else None,
            allow_redirects=False,
        ) as answer:
            return answer.status, await answer.text()


@pytest.fixture(scope="module")
def visit(office: Office, served: Served) -> Visit:
    return Visit(office, served)


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What another client sends."""

    name: str
    headers: Mapping[str, str]
    query: str = ""


def basic(name: str, login: str, password: str) -> Credential:
    return Credential(name=name, headers={"Authorization": aiohttp.encode_basic_auth(login, password)})


def bearer(name: str, token: str) -> Credential:
    return Credential(name=name, headers={"Authorization": f"Bearer {token}"})


def public(name: str, key: str) -> Credential:
    return Credential(name=name, headers={}, query=f"public_key={key}")


NONE: Final = Credential(name="none", headers={})


def others(owner: Things, other: Things) -> list[Credential]:
    """Return every kind of credential that does not open the owner's objects in the private API."""
    mine, theirs = other.shop.keys, owner.shop.keys
    return [
        NONE,
        basic("another's API key", mine.id, mine.api_key),
        basic("another's API key under the owner's id", theirs.id, mine.api_key),
        basic("the owner's public key", theirs.id, theirs.public_key_test),
        basic("the owner's private key", theirs.id, theirs.private_key_test),
        basic("the owner's id alone", theirs.id, ""),
        bearer("the owner's API key as a token", theirs.api_key),
        bearer("the owner's token", owner.token),
        bearer("another's token", other.token),
        public("the owner's public key", theirs.public_key_test),
        public("another's public key", mine.public_key_test),
    ]


def filled(what: Address, things: Things) -> list[dict[str, str]]:
    """Return the parameters of an address with an account's objects, of each mode."""
    names = [name for name in re.findall(r"{(\w+)", what.path) if name not in EVERYBODYS]
    assert not [name for name in names if name not in things.test], f"what does {what} name? Say so in `things`"
    return [{name: of_mode[name] for name in names} for of_mode in (things.test, things.live)] if names else []


def test_every_route_says_what_opens_it(table: list[Address]) -> None:
    """A route that is not the private API's has to be in one of the sets above."""
    without_key = ID | TOKEN | SIGNED | NOBODYS
    assert {each.path for each in table if not each.private} == without_key


def test_the_private_api_is_in_the_matrix_with_and_without_its_prefix(table: list[Address]) -> None:
    private = {(each.method, each.path) for each in table if each.private}
    plain = {(method, path) for method, path in private if not path.startswith("/api/")}
    assert private - plain == {(method, f"/api{path}") for method, path in plain}
    assert ("GET", "/payment-invoices/{invoice_id}") in plain


async def test_the_owner_opens_what_strangers_are_tried_on(table: list[Address], visit: Visit, owner: Things) -> None:
    key = basic("own", owner.shop.keys.id, owner.shop.keys.api_key)
    for what in table:
        if what.method == "GET" and (what.private or what.path in ID - {"/hpp/{session_id}/3ds"}):
            tried = filled(what, owner)
            for values in tried if tried or "{" in what.path else [{}]:
                assert (await visit(what, values, key))[0] in {200, 303}, (str(what), values)


async def test_a_strangers_credential_opens_no_object_of_the_private_api(
    table: list[Address], visit: Visit, owner: Things, other: Things
) -> None:
    opened = [
        (str(what), values, credential.name, status)
        for what in table
        if what.private
        for values, credential in itertools.product(filled(what, owner), others(owner, other))
        if (status := (await visit(what, values, credential))[0]) not in REFUSED
    ]
    assert opened == []


async def test_lists_and_sums_show_nothing_of_others(
    table: list[Address], visit: Visit, owner: Things, other: Things
) -> None:
    theirs = set(owner.test.values()) | set(owner.live.values()) | {owner.shop.keys.id, "payer@test.example"}
    theirs -= {"test"}
    queries = [
        "",
        f"account_id={owner.shop.keys.id}",
        *(f"page[before]={each}" for each in owner.all("invoice_id")),
        *(f"page[after]={each}" for each in owner.all("invoice_id")),
    ]
    for what in table:
        if not what.private or what.method != "GET" or "{" in what.path:
            continue
        tried = itertools.product(others(owner, other), queries)
        for credential, query in tried:
            known = credential.name == "another's API key"
            if query and not known:
                continue
            status, text = await visit(what, {}, credential, query=query)
            assert not [each for each in theirs if each in text and each not in query], (str(what), credential.name)
            assert status in REFUSED or (known and status in {200, 400}), (str(what), credential.name, query)


def crossed(values: dict[str, str], other: Things) -> Iterator[dict[str, str]]:
    """Yield ids that are nearly right: under another's tag, of another kind, cut, longer, in another case."""
    for name, value in values.items():
        prefix, _, rest = value.partition("_")
        tag = other.shop.keys.id[5:9]
        for wrong in (
            f"{prefix}_{tag}{rest[4:]}",
            f"{'cpi' if prefix != 'cpi' else 'cgi'}_{rest}",
            f"{prefix}_{rest[:-1]}",
            f"{prefix}_{rest}0",
            f"{prefix}_{rest.swapcase()}",
            f"{prefix.upper()}_{rest}",
            rest,
        ):
            yield {**values, name: wrong}


async def test_an_id_opens_its_object_only_as_it_is(
    table: list[Address], visit: Visit, owner: Things, other: Things
) -> None:
    opened = []
    for what in table:
        if what.path not in ID:
            continue
        for values in filled(what, owner):
            for wrong, credential in itertools.product(crossed(values, other), others(owner, other)[:2]):
                status, _ = await visit(what, wrong, credential)
                if status not in REFUSED:
                    opened.append((str(what), wrong, credential.name, status))
    assert opened == []


async def test_what_an_id_opens_says_nothing_of_the_payer(table: list[Address], visit: Visit, owner: Things) -> None:
    for what in table:
        if what.path in ID and what.method == "GET":
            for values in filled(what, owner):
                _, text = await visit(what, values, NONE)
                assert not [word for word in ("Jo Payer", "payer@", "cus_") if word in text], str(what)


async def test_a_public_key_that_is_sent_has_to_be_the_accounts_and_of_the_mode(
    table: list[Address], visit: Visit, owner: Things, other: Things
) -> None:
    (what,) = [each for each in table if each.path == "/public-api/payment-invoices/{invoice_id}"]
    keys, theirs = owner.shop.keys, other.shop.keys
    always = [theirs.public_key_test, theirs.public_key_live, keys.private_key_test, keys.api_key, owner.token, "x"]
    for values, of_other_mode in ((owner.test, keys.public_key_live), (owner.live, keys.public_key_test)):
        for key in [*always, of_other_mode]:
            assert (await visit(what, values, public("", key)))[0] == 401


async def test_a_token_is_good_for_its_own_invoice_alone_and_nothing_else_is_one(
    table: list[Address], visit: Visit, owner: Things, other: Things
) -> None:
    head, claims, signature = owner.token.split(".")
    mixed = [
        f"{head}.{other.token.split('.')[1]}.{signature}",
        f"{head}.{claims}.{other.token.split('.')[2]}",
        f"{head}.{claims}.",
    ]
    theirs = owner.shop.keys
    kinds = [
        *(each for each in others(owner, other) if "token" not in each.name),
        *(bearer("mixed", each) for each in mixed),
        *(bearer("a key", key) for key in (theirs.api_key, theirs.public_key_test, theirs.private_key_test)),
        *(bearer("an id", each) for each in (*owner.test.values(), theirs.id)),
    ]
    for what in table:
        if what.path in TOKEN:
            assert [each.name for each in kinds if (await visit(what, {}, each))[0] not in REFUSED] == []


async def test_a_notification_that_no_provider_signed_is_about_nothing(
    table: list[Address], visit: Visit, owner: Things, other: Things
) -> None:
    for what in table:
        if what.path in SIGNED:
            own = filled(what, owner)
            wrong = [values for each in own for values in crossed(each, other)]
            for values, credential in itertools.product([*own, *wrong], others(owner, other)[:2]):
                assert (await visit(what, values, credential))[0] in REFUSED, (values, credential.name)
