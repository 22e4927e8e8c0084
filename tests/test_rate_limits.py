from ipaddress import ip_network

import pytest

from kassa.config import LIMITS, Settings, load
from kassa.errors import NotFound, TooMany
from kassa.rate_limits import RateLimit, network_of
from tests.support.waiting import until


def taken(limit: RateLimit, *who: str, times: int) -> int:
    """Return how many of so many times were had."""
    had = 0
    for _ in range(times):
        try:
            limit.take(*who)
        except TooMany:
            continue
        had += 1
    return had


def test_a_visitor_has_so_many_times_and_others_have_theirs() -> None:
    limit = RateLimit("a", 3)
    assert taken(limit, "key", "192.0.2.1", times=5) == 3
    assert taken(limit, "key", "192.0.2.2", times=5) == 3
    assert taken(limit, "other", "192.0.2.1", times=5) == 3


def test_a_refusal_says_when_the_next_time_comes() -> None:
    limit = RateLimit("a", 1, seconds=60)
    limit.take("x")
    with pytest.raises(TooMany) as refused:
        limit.take("x")
    assert 30 <= refused.value.seconds <= 60


async def test_a_time_comes_back_when_it_leaves_the_window_and_refusals_do_not_count() -> None:
    limit = RateLimit("a", 2, seconds=2)
    assert taken(limit, "x", times=9) == 2
    await until(lambda: taken(limit, "x", times=1) == 1, what="the next time")


def test_no_limit_is_none() -> None:
    assert taken(RateLimit("a", 0), "x", times=999) == 999


def test_only_so_many_visitors_are_remembered_and_those_unseen_for_longest_go_first() -> None:
    limit = RateLimit("a", 1, clients=2)
    for name in ("first", "second", "third"):
        limit.take(name)
    assert taken(limit, "third", times=1) == 0
    assert taken(limit, "first", times=1) == 1
    assert len(limit._seen) == 2


def test_what_is_there_is_not_a_guess() -> None:
    limit = RateLimit("a", 2)
    for _ in range(5):
        with limit.guessing("x"):
            pass
    for _ in range(2):
        with pytest.raises(NotFound), limit.guessing("x"):
            raise NotFound
    with pytest.raises(TooMany), limit.guessing("x"):
        raise NotFound


@pytest.mark.parametrize(
    "host,network",
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::1", "::/64"),
    ],
)
def test_a_subscriber_is_one_visitor(host: str, network: str) -> None:
    assert network_of(host) == ip_network(network)


@pytest.mark.parametrize("host", ["", "unknown", "192.0.2.1:80", "192.0.2.256"])
def test_what_is_no_address_has_no_network(host: str) -> None:
    assert network_of(host) is None


def test_limits_are_on_unless_it_is_a_demo_and_the_operator_decides_in_both() -> None:
    assert {name: Settings().limit(name) for name in LIMITS} == LIMITS
    assert {Settings(demo=True).limit(name) for name in LIMITS} == {0}
    for demo in (False, True):
        chosen = load({f"KASSA_{name.upper()}": "7" for name in LIMITS}, demo=demo)
        assert {chosen.limit(name) for name in LIMITS} == {7}
    assert Settings(creations_by_address=0).limit("creations_by_address") == 0
    assert Settings(creations_by_address=-1).limit("creations_by_address") == 0
