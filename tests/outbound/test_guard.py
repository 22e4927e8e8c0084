"""A merchant's address never makes Kassa connect to what is not public; nothing but the loopback is dialled here."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kassa.config import Settings
from kassa.errors import AddressRefused, ConnectionFailed
from kassa.outbound import Answer, Outbound
from tests.support.listener import Listen, Listener

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

HOSTS = (Path(__file__).parent / "inner_hosts.txt").read_text(encoding="utf-8").split()
SCHEMES = ["http", "https"]
STRANGE = [
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "http://127.0.0.1 :{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\r\nHost: x:{port}/",
    "http://127.0.0.1\x00.example.com:{port}/",
    " http://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_",
    "file:///etc/hostname",
    "data:text/plain,ok",
    "javascript:1",
    "http://127.0.0.1:{port}@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}?@example.com/",
    "http://[::1",
    "http://",
    "",
]


@pytest.fixture
async def internal(listen: Listen) -> Listener:
    """A service that others must not reach, on a port that the settings call a public one."""
    return await listen(OK, host="127.0.0.1")


@pytest.fixture
async def outbound(internal: Listener) -> AsyncIterator[Outbound]:
    async with Outbound(Settings(outbound_ports=str(internal.port))) as opened:
        yield opened


async def post(outbound: Outbound, url: str, *, guarded: bool = True, https_only: bool = False) -> Answer:
    return await outbound.request(
        "POST", url, headers={}, body=b"{}", timeout_seconds=10, guarded=guarded, https_only=https_only
    )


def test_the_corpus_is_large() -> None:
    assert len(set(HOSTS)) >= 60


@pytest.mark.parametrize("host", HOSTS)
async def test_no_spelling_of_an_inner_address_is_connected_to(
    outbound: Outbound, internal: Listener, host: str
) -> None:
    for scheme in SCHEMES:
        with pytest.raises((AddressRefused, ConnectionFailed)):
            await post(outbound, f"{scheme}://{host}:{internal.port}/")
    assert internal.connections == 0


@pytest.mark.parametrize("form", STRANGE)
async def test_no_strange_form_of_an_address_is_connected_to(outbound: Outbound, internal: Listener, form: str) -> None:
    url = form.format(port=internal.port)
    with pytest.raises(AddressRefused):
        await post(outbound, url)
    with pytest.raises(AddressRefused):
        outbound.check_url(url)
    assert internal.connections == 0


@pytest.mark.parametrize("host", HOSTS)
def test_every_spelling_of_an_inner_address_is_refused_when_it_is_saved(host: str) -> None:
    for scheme in SCHEMES:
        with pytest.raises(AddressRefused):
            Outbound(Settings()).check_url(f"{scheme}://{host}/")


async def test_the_corpus_reaches_the_listener_when_nothing_guards_it(outbound: Outbound, internal: Listener) -> None:
    answer = await post(outbound, f"http://127.0.0.1:{internal.port}/", guarded=False)
    assert answer == Answer(status=200, headers={"content-length": "2", "connection": "close"}, body=b"ok")
    assert internal.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(listen: Listen, internal: Listener, status: int) -> None:
    place = f"HTTP/1.1 {status} Moved\r\nLocation: {internal.url}\r\nContent-Length: 0\r\n\r\n"
    redirecting = await listen(place.encode(), host="127.0.0.2")
    async with Outbound(Settings(outbound_allow="127.0.0.2/32")) as outbound:
        assert (await post(outbound, redirecting.url)).status == status
    assert (redirecting.connections, internal.connections) == (1, 0)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let the system's resolver give these addresses for any name, one list a question, and note the names asked."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (text, port)) for text in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_with_one_inner_address_among_others_is_refused(
    monkeypatch: pytest.MonkeyPatch, listen: Listen
) -> None:
    opened = await listen(OK, host="127.0.0.2")
    inner = await listen(OK, host="127.0.0.3", port=opened.port)
    async with Outbound(Settings(outbound_allow="127.0.0.2/32")) as outbound:
        resolving(monkeypatch, ["127.0.0.2", "127.0.0.3"])
        with pytest.raises(AddressRefused):
            await post(outbound, f"http://shop.example:{opened.port}/")
    assert (opened.connections, inner.connections) == (0, 0)


async def test_a_name_that_changes_its_address_is_checked_on_each_request_and_asked_once(
    monkeypatch: pytest.MonkeyPatch, listen: Listen
) -> None:
    opened = await listen(OK, host="127.0.0.2")
    inner = await listen(OK, host="127.0.0.3", port=opened.port)
    url = f"http://shop.example:{opened.port}/"
    async with Outbound(Settings(outbound_allow="127.0.0.2/32")) as outbound:
        asked = resolving(monkeypatch, ["127.0.0.2"], ["127.0.0.3"])
        assert (await post(outbound, url)).status == 200
        assert asked == ["shop.example"]
        with pytest.raises(AddressRefused):
            await post(outbound, url)
    assert (opened.connections, inner.connections) == (1, 0)
    assert b"Host: shop.example" in opened.requests[0]


async def test_a_name_that_hangs_ends_with_the_deadline_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, internal: Listener
) -> None:
    real, hanging = socket.getaddrinfo, asyncio.Event()
    loop = asyncio.get_running_loop()
    released = threading.Event()

    def getaddrinfo(host: str, *arguments: object, **options: object) -> object:
        if host == "slow.example":
            loop.call_soon_threadsafe(hanging.set)
            released.wait(30)
        return real(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with Outbound(Settings(demo=True)) as outbound:
        slow = [
            asyncio.create_task(
                outbound.request("GET", "http://slow.example/", headers={}, body=b"", timeout_seconds=30, guarded=True)
            )
            for _ in range(50)
        ]
        await hanging.wait()
        assert (await post(outbound, f"http://localhost:{internal.port}/")).status == 200
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    released.set()


async def test_plain_http_is_refused_where_tls_is_needed_but_for_what_the_operator_opened(internal: Listener) -> None:
    for opened, expected in ((False, 0), (True, 1)):
        async with Outbound(Settings(demo=opened, outbound_ports=str(internal.port))) as outbound:
            try:
                await post(outbound, internal.url, https_only=True)
            except AddressRefused:
                assert not opened
        assert internal.connections == expected


def test_at_save_time_plain_http_and_strange_ports_are_refused_to_names() -> None:
    strict = Outbound(Settings())
    strict.check_url("https://shop.example/callbacks?a=1")
    strict.check_url("http://shop.example/callbacks")
    with pytest.raises(AddressRefused, match="https://"):
        strict.check_url("http://shop.example/callbacks", https_only=True)
    with pytest.raises(AddressRefused, match="port"):
        strict.check_url("https://shop.example:8443/")
    with pytest.raises(AddressRefused):
        strict.check_url("http://1.1.1.1/", https_only=True)
    strict.check_url("https://1.1.1.1/", https_only=True)


@pytest.mark.parametrize("who", ["user@", "user:word@", ":word@", "%75ser@"])
def test_an_address_with_a_user_name_or_password_is_refused(who: str) -> None:
    with pytest.raises(AddressRefused, match="user name"):
        Outbound(Settings()).check_url(f"https://{who}shop.example/")


def test_at_save_time_a_name_that_may_lead_to_what_was_opened_is_let_through() -> None:
    demo = Outbound(Settings(demo=True))
    demo.check_url("http://shop.example:5000/", https_only=True)
    demo.check_url("http://localhost:5000/", https_only=True)
    with pytest.raises(AddressRefused):
        demo.check_url("http://10.0.0.1:5000/")


async def test_proxies_and_passwords_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, listen: Listen, internal: Listener
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, internal.url)
    shop = await listen(OK, host="127.0.0.2")
    async with Outbound(Settings(outbound_allow="127.0.0.2/32")) as outbound:
        assert (await post(outbound, shop.url)).status == 200
    assert (shop.connections, internal.connections) == (1, 0)
