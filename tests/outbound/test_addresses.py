from ipaddress import ip_address
from pathlib import Path

import pytest

from kassa.config import Settings
from kassa.errors import SettingsWrong
from kassa.outbound.addresses import AddressTable, Reach, is_public, literal

NOT_PUBLIC = (Path(__file__).parent / "not_public.txt").read_text().split()

PUBLIC = (Path(__file__).parent / "public.txt").read_text().split()


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_with_a_special_purpose_is_not_public(address: str) -> None:
    assert is_public(ip_address(address)) is False


@pytest.mark.parametrize("address", PUBLIC)
def test_an_ordinary_address_is_public(address: str) -> None:
    assert is_public(ip_address(address)) is True


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0x7f.1",
        "0177.0.0.01",
        "127.1",
        "127.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "shop.localhost",
    ],
)
def test_every_spelling_of_the_loopback_is_read_as_its_address(host: str) -> None:
    assert literal(host) == ip_address("127.0.0.1")


@pytest.mark.parametrize("host", ["example.com", "localhost.example.com", "1e100.net", "127.0.0.1.example.com", "0xg"])
def test_a_name_is_not_an_address(host: str) -> None:
    assert literal(host) is None


def permits(address: str, port: int, reach: Reach = Reach.GUARDED, **settings: object) -> bool:
    table = AddressTable.from_settings(Settings(**settings))  # type: ignore[arg-type]
    return table.permits(ip_address(address), port, reach)


def test_public_addresses_are_reached_on_the_ports_of_the_settings_alone() -> None:
    assert permits("1.1.1.1", 443)
    assert permits("1.1.1.1", 80)
    assert not permits("1.1.1.1", 22)
    assert permits("1.1.1.1", 8443, outbound_ports="443, 8443")
    assert not permits("1.1.1.1", 80, outbound_ports="443, 8443")
    for port in (1, 65535):
        assert permits("1.1.1.1", port, outbound_ports=str(port))


def test_what_the_operator_opened_is_reached_on_every_port() -> None:
    assert not permits("10.1.2.3", 8080)
    assert permits("10.1.2.3", 8080, outbound_allow="10.1.0.0/16, fd00::/8")
    assert permits("::ffff:10.1.2.3", 8080, outbound_allow="10.1.0.0/16")
    assert permits("fd00::1", 8080, outbound_allow="10.1.0.0/16, fd00::/8")
    assert not permits("10.2.0.1", 8080, outbound_allow="10.1.0.0/16, fd00::/8")


def test_demo_mode_opens_the_loopback_and_nothing_else() -> None:
    for loopback in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert permits(loopback, 5000, demo=True)
        assert not permits(loopback, 80)
    for other in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "fe80::1"):  # noqa: S104 (an address to refuse)
        assert not permits(other, 80, demo=True)


def test_where_only_opened_addresses_count_a_public_one_is_refused() -> None:
    assert not permits("1.1.1.1", 443, Reach.OPENED, demo=True)
    assert permits("127.0.0.1", 5000, Reach.OPENED, demo=True)
    assert permits("10.0.0.1", 1, Reach.ANYWHERE)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "everything", "10.0.0.0/33"])
def test_networks_that_cannot_be_read_stop_the_start(text: str) -> None:
    with pytest.raises(SettingsWrong, match="KASSA_OUTBOUND_ALLOW"):
        AddressTable.from_settings(Settings(outbound_allow=text))


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80;443"])
def test_ports_that_cannot_be_read_stop_the_start(text: str) -> None:
    with pytest.raises(SettingsWrong, match="KASSA_OUTBOUND_PORTS"):
        AddressTable.from_settings(Settings(outbound_ports=text))
