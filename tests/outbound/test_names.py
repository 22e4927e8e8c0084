"""What a merchant's own DNS says never leads inside: each address is checked, and the checked one is dialled (G7).

An address of the loopback that the operator opened takes the place of public ones, so that nothing else is dialled.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import dns.rcode
import pytest

from kassa.config import Settings
from kassa.errors import AddressRefused, AnswerTimedOut, ConnectionFailed
from kassa.outbound import Outbound
from tests.support import names as nameservers
from tests.support.listener import Listen, Listener
from tests.support.names import Names

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
PUBLIC = "127.0.2.1"
OPENED = "127.0.2.0/24"


@pytest.fixture
def names() -> Iterator[Names]:
    with nameservers.serving() as serving:
        yield serving


@pytest.fixture
async def servers(listen: Listen) -> list[Listener]:
    """Servers on one port of a shop's address and of inner ones."""
    while True:
        shop = await listen(OK, host=PUBLIC)
        with contextlib.suppress(OSError):  # another program may have the port elsewhere
            return [shop, *[await listen(OK, host=host, port=shop.port) for host in ("127.0.0.1", "127.0.0.2", "::1")]]


@pytest.fixture
def public(servers: list[Listener]) -> Listener:
    """A shop's server."""
    return servers[0]


@pytest.fixture
def inner(servers: list[Listener]) -> list[Listener]:
    """What others must not reach, on the same port."""
    return servers[1:]


@pytest.fixture
async def outbound(public: Listener) -> AsyncIterator[Outbound]:
    async with Outbound(Settings(outbound_allow=OPENED, outbound_ports=str(public.port))) as opened:
        yield opened


async def get(outbound: Outbound, url: str, *, seconds: float = 10) -> int:
    answer = await outbound.request("GET", url, headers={}, body=b"", timeout_seconds=seconds, guarded=True)
    return answer.status


def reached(listeners: list[Listener]) -> int:
    return sum(listener.connections for listener in listeners)


async def test_a_name_that_turns_inward_after_its_check_is_dialled_as_it_was_checked(
    names: Names, outbound: Outbound, public: Listener, inner: list[Listener]
) -> None:
    names.addresses["shop.example"] = [[PUBLIC], ["127.0.0.1"]]
    url = f"http://shop.example:{public.port}/"
    outbound.check_url(url)
    assert await get(outbound, url) == 200
    assert (names.asked["shop.example", "A"], public.connections, reached(inner)) == (1, 1, 0)
    assert b"Host: shop.example" in public.requests[0]
    for _ in range(3):
        with pytest.raises(AddressRefused):
            await get(outbound, url)
    assert (public.connections, reached(inner)) == (1, 0)


MANY = [f"127.0.2.{number}" for number in range(1, 200)]
INWARD = {
    "an inner address alone": ["127.0.0.1"],
    "an inner address behind a public one": [PUBLIC, "127.0.0.1"],
    "an inner address before a public one": ["127.0.0.1", PUBLIC],
    "an inner address among two hundred": [*MANY, "127.0.0.2"],
    "an inner IPv6 address alone": ["::1"],
    "an inner IPv6 address beside a public one": [PUBLIC, "::1"],
    "an inner address mapped into IPv6": ["::ffff:127.0.0.1"],
    "an inner address embedded for NAT64": ["64:ff9b::7f00:1"],
    "an inner address embedded for 6to4": ["2002:7f00:1::"],
    "an inner address as IPv4-compatible": ["::127.0.0.1"],
    "the unspecified address": ["0.0.0.0"],  # noqa: S104 (an address to refuse)
    "the unspecified IPv6 address": ["::"],
    "a link-local IPv6 address": ["fe80::1"],
    "a cloud's metadata": ["169.254.169.254"],
    "a private address": ["10.0.0.1"],
}


@pytest.mark.parametrize("what", INWARD)
async def test_a_name_that_leads_inward_is_not_followed(
    names: Names, outbound: Outbound, public: Listener, inner: list[Listener], what: str
) -> None:
    names.addresses["shop.example"] = [INWARD[what]]
    for scheme in ("http", "https"):
        with pytest.raises(AddressRefused):
            await get(outbound, f"{scheme}://shop.example:{public.port}/")
    assert (public.connections, reached(inner)) == (0, 0)
    assert names.asked.total() > 0


async def test_two_hundred_addresses_that_are_all_right_are_no_reason_to_refuse(
    names: Names, outbound: Outbound, public: Listener
) -> None:
    names.addresses["shop.example"] = [MANY]
    assert await get(outbound, f"http://shop.example:{public.port}/") == 200


@pytest.mark.parametrize("length", [1, 5])
async def test_a_chain_of_names_is_judged_by_its_end(
    names: Names, outbound: Outbound, public: Listener, inner: list[Listener], length: int
) -> None:
    for end, addresses in (("good", [PUBLIC]), ("bad", ["127.0.0.1"])):
        chain = [f"{end}.shop.example", *(f"{end}{number}.example" for number in range(length))]
        names.aliases |= dict(pairwise(chain))
        names.addresses[chain[-1]] = [addresses]
    assert await get(outbound, f"http://good.shop.example:{public.port}/") == 200
    with pytest.raises(AddressRefused):
        await get(outbound, f"http://bad.shop.example:{public.port}/")
    assert (public.connections, reached(inner)) == (1, 0)


async def test_a_redirect_to_a_name_that_leads_inward_is_not_followed(
    names: Names, listen: Listen, outbound: Outbound, inner: list[Listener]
) -> None:
    names.addresses |= {"shop.example": [["127.0.2.2"]], "inner.example": [["127.0.0.1"]]}
    place = f"http://inner.example:{inner[0].port}/"
    for status in (301, 302, 303, 307, 308):
        moved = f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
        shop = await listen(moved.encode(), host="127.0.2.2")
        assert await get(outbound, f"http://shop.example:{shop.port}/") == status
    assert (reached(inner), names.asked["inner.example", "A"]) == (0, 0)


async def test_a_public_name_is_reached_on_the_ports_of_the_settings_alone(names: Names, listen: Listen) -> None:
    names.addresses["shop.example"] = [["1.1.1.1"]]
    async with Outbound(Settings(outbound_ports="443")) as strict:
        for port in (1, 22, 25, 80, 6379, 8443, 65535):
            with pytest.raises(AddressRefused, match="port"):
                strict.check_url(f"https://shop.example:{port}/")
            with pytest.raises(AddressRefused):
                await get(strict, f"https://shop.example:{port}/")


async def test_names_that_fail_end_without_a_connection(
    names: Names, outbound: Outbound, public: Listener, inner: list[Listener]
) -> None:
    names.failing |= {"servfail.example": dns.rcode.SERVFAIL, "refused.example": dns.rcode.REFUSED}
    names.silent.add("silent.example")
    names.addresses["empty.example"] = [[]]
    for name in ("servfail", "refused", "nxdomain", "empty", "silent"):
        with pytest.raises(ConnectionFailed):
            await get(outbound, f"http://{name}.example:{public.port}/")
    with pytest.raises(AnswerTimedOut):
        await get(outbound, f"http://silent.example:{public.port}/", seconds=0.1)
    assert (public.connections, reached(inner)) == (0, 0)


async def test_many_requests_at_once_to_a_name_that_turns_are_each_checked(
    names: Names, outbound: Outbound, public: Listener, inner: list[Listener]
) -> None:
    names.addresses["shop.example"] = [[PUBLIC], ["127.0.0.1"], [PUBLIC], ["127.0.0.2"], ["::1"], [PUBLIC]]
    url = f"http://shop.example:{public.port}/"
    answers = []
    for _ in range(6):
        answers += await asyncio.gather(*(get(outbound, url) for _ in range(5)), return_exceptions=True)
    assert {200 if answer == 200 else type(answer) for answer in answers} == {200, AddressRefused}
    assert (public.connections, reached(inner)) == (answers.count(200), 0)
