"""Each row of the API family's table of statuses is provoked from outside, and answered to the letter.

See contract#errors.
"""

import ast
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from kassa.db.embedded import Server
from tests.support import office as offices
from tests.support import serving
from tests.support.api import BARE, INVOICES, PUBLIC_INVOICES, Client, error_body, private_body
from tests.support.office import Office
from tests.support.waiting import until

ROOT: Final = Path(__file__).parents[1]
ELSEWHERE: Final = {
    429: (
        "api/test_limits.py",
        "test_the_next_creation_of_a_minute_is_refused_for_this_key_and_address_alone",
    ),
    502: (
        "invoices/test_redirect_errors.py",
        "test_a_bank_without_an_answer_is_told_to_the_letter_and_the_invoice_stands",
    ),
    504: (
        "invoices/test_redirect_errors.py",
        "test_a_bank_without_an_answer_is_told_to_the_letter_and_the_invoice_stands",
    ),
}
TABLE: Final = {200, 201, 400, 401, 403, 404, 405, 409, 422, 429, 500, 502, 503, 504}
INTERNAL: Final = error_body(500, "internal_error", title="internal_error", detail="Internal server error.")
UNAVAILABLE: Final = error_body(
    503,
    "Service Unavailable",
    title="Service Unavailable",
    detail="The database does not answer at the moment.",
)


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.AsyncFunctionDef)}


def test_every_row_of_the_table_has_a_test() -> None:
    here = {status for status in TABLE for name in functions(Path(__file__)) if name.startswith(f"test_{status}_")}
    assert here | set(ELSEWHERE) == TABLE
    assert [name for path, name in ELSEWHERE.values() if name not in functions(ROOT / path)] == []


async def test_200_for_what_was_asked_for(shop: Client) -> None:
    made = await shop.create()
    assert (await shop.read(made.data["id"])).status == 200


async def test_201_for_what_was_created(shop: Client) -> None:
    assert (await shop.create()).status == 201
    assert (await shop.create_publicly()).status == 201


async def test_400_for_what_cannot_be_read_and_nothing_is_there(shop: Client) -> None:
    body = b'{"data": {"attributes": {"reference_id": "unreadable"'
    answer = await shop.call("POST", INVOICES, body=body)
    detail = f"The body is not JSON: Expecting ',' delimiter at character {len(body)}."
    assert (answer.status, answer.document) == (400, error_body(400, "Bad Request", title="Bad Request", detail=detail))
    assert (await shop.find("unreadable")).status == 404


async def test_401_for_who_is_not_known(shop: Client) -> None:
    for answer in (
        await shop.call("POST", INVOICES, json_body=private_body(), anonymous=True),
        await shop.call("GET", INVOICES, auth=(shop.keys.id, "wrong")),
        await shop.create_publicly(public_key="pk_test_" + "0" * 43),
    ):
        assert (answer.status, answer.document) == (401, error_body(401, BARE["401"]))


async def test_403_for_who_may_not(office: Office) -> None:
    closed = await office.account(forbid_public_access="true", ip_allow_list="192.0.2.1")
    for answer, detail in (
        (await closed.create_publicly(), "This account takes invoices from its private API only."),
        (await closed.create(), "This account's API is not called from this address."),
    ):
        assert (answer.status, answer.document) == (
            403,
            error_body(403, "Forbidden", title="Forbidden", detail=detail),
        )


async def test_404_for_what_there_is_not(shop: Client) -> None:
    for answer in (await shop.read("cpi_0000000000000000"), await shop.find("unknown"), await shop.call("GET", "/x")):
        assert (answer.status, answer.document) == (404, error_body(404, BARE["404"]))


async def test_405_for_a_method_that_is_not_taken(shop: Client) -> None:
    for method, path, allowed in (
        ("DELETE", INVOICES, "GET, HEAD, POST"),
        ("OPTIONS", INVOICES, "GET, HEAD, POST"),
        ("POST", f"{INVOICES}/cpi_0000000000000000", "GET, HEAD"),
        ("GET", PUBLIC_INVOICES, "POST"),
    ):
        answer = await shop.call(method, path)
        assert (answer.status, answer.document) == (405, error_body(405, BARE["405"]))
        assert answer.headers["Allow"] == allowed


async def test_409_for_what_there_is_already_with_the_object_that_stands(shop: Client) -> None:
    made = await shop.create()
    again = await shop.create(reference_id=made.attributes["reference_id"], amount=7)
    detail = "An invoice with this reference_id exists already; it is in data. It differs in: amount."
    expected = error_body(409, "Conflict", title="Conflict", detail=detail)
    assert (again.status, again.document) == (409, {**expected, "data": made.data})
    assert again.document["data"] == (await shop.read(made.data["id"])).data


async def test_422_for_what_cannot_be_accepted(shop: Client) -> None:
    answer = await shop.create(amount=0)
    assert (answer.status, answer.text) == (422, '{"errors":{"amount":"This value should be greater than 0."}}')


async def test_500_for_a_defect_which_is_not_told(office: Office, fresh: Client) -> None:
    broken, whole = await fresh.create(), await fresh.create()
    await office.owner.execute("UPDATE invoices SET currency = '?' WHERE invoice_id = $1", broken.data["id"])
    for answer in (
        await fresh.read(broken.data["id"]),
        await fresh.read_publicly(broken.data["id"]),
        await fresh.find(broken.attributes["reference_id"]),
        await fresh.create(reference_id=broken.attributes["reference_id"]),
    ):
        assert (answer.status, answer.document) == (500, INTERNAL)
        assert answer.headers["Content-Type"] == "application/json"
    assert (await fresh.read(whole.data["id"])).status == 200


@asynccontextmanager
async def on_a_database_of_its_own(folder: Path) -> AsyncIterator[tuple[Server, Client, str]]:
    """Run Kassa on a server that is not its child, and give that server, an account and how to see how Kassa does."""
    postgres = Server(folder / "postgres", port=0)
    await postgres.start()
    try:
        postgres._wanted_port = int(postgres.url.rpartition(":")[2].partition("/")[0])
        environment = {"KASSA_DATABASE_URL": postgres.url}
        async with serving.running(folder, environment=environment) as running, offices.opened(running) as office:
            yield postgres, await office.account(), f"{running.served.health_url}/readyz"
    finally:
        await postgres.stop()


async def test_503_for_a_database_that_is_away_and_all_is_well_when_it_is_back(folder: Path) -> None:
    async with on_a_database_of_its_own(folder) as (postgres, shop, ready):
        made = await shop.create()
        await postgres.stop()
        for answer in (
            await shop.create(),
            await shop.create_publicly(),
            await shop.read(made.data["id"]),
            await shop.read_publicly(made.data["id"]),
            await shop.call("GET", INVOICES),
            await shop.call("POST", INVOICES, json_body=private_body(), headers={"Idempotency-Key": "1"}),
        ):
            assert (answer.status, answer.document) == (503, UNAVAILABLE)
            assert int(answer.headers["Retry-After"]) >= 1
        async with shop.session.get(ready) as answered:
            assert answered.status == 503
        assert (await shop.call("GET", "/healthz", anonymous=True)).status == 200
        await postgres.start()

        async def back() -> bool:
            return (await shop.create()).status == 201

        await until(back, what="the database's return")
        assert (await shop.read(made.data["id"])).data["id"] == made.data["id"]
