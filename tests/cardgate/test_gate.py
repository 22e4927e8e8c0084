import asyncio
import re
from urllib.parse import urlencode

import aiohttp
import pytest
from yarl import URL

from tests.support.api import Answer, Client
from tests.support.office import Office
from tests.support.payer import PLAIN, SECURE, asked
from tests.support.serving import Served

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GOOD = {"number": "1", "card_number": PLAIN, "expiry": "12/30", "cvc": "123"}


async def call(
    session: aiohttp.ClientSession, method: str, url: str, body: bytes | None = None, **headers: str
) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with session.request(method, url, data=body, headers=sent, allow_redirects=False) as answer:
        return Answer(status=answer.status, headers=answer.headers, text=(await answer.read()).decode())


async def send(shop: Client, url: str, **changes: str) -> Answer:
    return await call(shop.session, "POST", url, urlencode({**GOOD, **changes}).encode(), **FORM)


async def attempts(office: Office, invoice_id: str) -> list[str]:
    rows = await office.fetch("SELECT status FROM payments WHERE invoice_id = $1 ORDER BY attempt_number", invoice_id)
    return [row["status"] for row in rows]


async def test_a_form_that_names_a_card_twice_pays_with_neither(shop: Client, office: Office) -> None:
    invoice_id, url = await asked(shop)
    body = urlencode([*GOOD.items(), ("card_number", "4302912837020000")]).encode()
    answer = await call(shop.session, "POST", url, body, **FORM)
    assert (answer.status, answer.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert await attempts(office, invoice_id) == []


@pytest.mark.parametrize("path", ["..%2f", "cgi_x/", "%2e%2e%2f", "a%2fb/"])
async def test_a_slash_too_many_is_no_page(shop: Client, served: Served, path: str) -> None:
    url = URL(f"{served.gate_url}/hpp/{path}", encoded=True)
    async with shop.session.get(url, allow_redirects=False) as answer:
        assert answer.status == 404


async def test_a_form_that_cannot_be_right_costs_no_attempt_and_comes_back_empty(shop: Client, office: Office) -> None:
    invoice_id, url = await asked(shop)
    answer = await send(shop, url, card_number="5519283812030001", cvc="9876")
    assert answer.status == 422
    assert "Check the card number: a digit is missing or wrong." in answer.text
    assert not re.search("5519283812030001|9876", answer.text)
    assert await attempts(office, invoice_id) == []


async def test_one_form_sent_many_times_at_once_is_one_attempt(shop: Client, office: Office) -> None:
    invoice_id, url = await asked(shop)
    answers = await asyncio.gather(*(send(shop, url) for _ in range(8)))
    assert {(answer.status, answer.headers["Location"]) for answer in answers} == {(303, f"/hpp/{url.split('/')[-1]}")}
    assert await attempts(office, invoice_id) == ["processed"]


@pytest.mark.parametrize("token", ["0", "2", "", "x"])
async def test_a_stale_form_changes_nothing(shop: Client, office: Office, token: str) -> None:
    invoice_id, url = await asked(shop)
    assert (await send(shop, url, number=token)).status == 303
    assert await attempts(office, invoice_id) == []


async def test_coming_back_from_the_bank_proves_nothing(shop: Client, office: Office) -> None:
    invoice_id, url = await asked(shop)
    sent = await send(shop, url, card_number=SECURE)
    assert sent.headers["Location"].endswith("/3ds")
    for method, body in (("GET", None), ("POST", b"status=APPROVED&PaRes=Y")):
        back = await call(shop.session, method, f"{url}/return?status=approved&transStatus=Y", body, **FORM)
        assert (back.status, back.headers["Location"]) == (303, f"/hpp/{url.split('/')[-1]}")
    assert await attempts(office, invoice_id) == ["process_pending"]


async def test_a_page_is_private_to_its_moment(shop: Client) -> None:
    _, url = await asked(shop)
    headers = (await call(shop.session, "GET", url)).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Set-Cookie" not in headers


async def test_a_page_tells_whether_it_has_changed_by_a_header(shop: Client) -> None:
    _, url = await asked(shop)
    before = await call(shop.session, "HEAD", url)
    await send(shop, url)
    after = await call(shop.session, "HEAD", url)
    assert (before.status, before.text, after.status) == (200, "", 200)
    assert before.headers["Kassa-State"] != after.headers["Kassa-State"]


@pytest.mark.parametrize(
    "path", ["cgi_0000000000000000", "cgi_x", "cpi_0000000000000000", "%00", "cgi_0000000000000000/3ds", "a/b", ""]
)
async def test_an_unknown_session_is_a_page_that_says_so(shop: Client, served: Served, path: str) -> None:
    answer = await call(shop.session, "GET", f"{served.gate_url}/hpp/{path}", Accept_Language="uk")
    assert answer.status == 404
    assert "Сторінку не знайдено" in answer.text


async def test_what_is_no_form_is_refused_on_a_page(shop: Client, office: Office) -> None:
    invoice_id, url = await asked(shop)
    long = b"card_number=" + b"1" * 20_000
    json = {"Content-Type": "application/json"}
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await call(shop.session, "POST", url, b"{}", **json)).status == 415
    assert (await call(shop.session, "POST", url, b"--x--", **multipart)).status == 415
    assert (await call(shop.session, "POST", url, long, **FORM)).status == 413
    assert (await call(shop.session, "POST", url, b"a=%ff", **FORM)).status == 400
    assert (await call(shop.session, "PUT", url, b"", **FORM)).status == 405
    assert await attempts(office, invoice_id) == []


async def test_style_and_script_are_kept_for_ever_under_names_that_change(shop: Client, served: Served) -> None:
    _, url = await asked(shop)
    page = (await call(shop.session, "GET", url)).text
    paths = re.findall(r'"(/static/page\.[0-9a-f]{12}\.(?:css|js))" integrity="sha384-', page)
    assert len(paths) == 2
    for path in paths:
        answer = await call(shop.session, "GET", served.gate_url + path, Accept_Encoding="gzip")
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Encoding"] == "gzip"
        plain = await call(shop.session, "GET", served.gate_url + path, Accept_Encoding="identity")
        assert (plain.status, plain.text) == (200, answer.text)


@pytest.mark.parametrize("path", ["../templates.py", "..%2ftemplates.py", "page.css", "%2e%2e/%2e%2e/config.py", ""])
async def test_nothing_but_the_files_of_the_manifest_is_served(shop: Client, served: Served, path: str) -> None:
    assert (await call(shop.session, "GET", f"{served.gate_url}/static/{path}")).status == 404
