"""Which addresses Kassa may be made to connect to by others: public ones, and what the operator opened.

The table is explicit, because the standard library's ``is_global`` (Python 3.11) admits multicast, 6to4, NAT64 and
others that lead to private networks. Sources: IANA's special-purpose registries for IPv4 and IPv6.
"""

import socket
from collections.abc import Iterable
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from kassa.config import Settings
from kassa.errors import SettingsWrong

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host, reachable from each of its guests
        "169.254.0.0/16",  # link-local, and clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
"""All that IANA has given out; what embeds IPv4 (::/96, ::ffff:0:0/96, 64:ff9b::/96) lies outside of it."""
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, with Teredo, benchmarks and ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which embeds IPv4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

_PORT_MAX = 65535


class Reach(Enum):
    """How far a request may go."""

    ANYWHERE = "anywhere"
    """For addresses that the operator's own settings and providers name."""
    GUARDED = "guarded"
    """Public addresses on the ports of the settings, and what the operator opened."""
    OPENED = "opened"
    """Only what the operator opened: for plain HTTP where all others need TLS."""


class AddressTable(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's choice of what guarded requests may reach."""

    ports: frozenset[int]
    """Ports on public addresses."""
    opened: tuple[Network, ...]
    """Networks that may be reached on every port although they are not public."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "AddressTable":
        """Return the table for ``outbound_ports`` and ``outbound_allow``; demo mode opens the loopback.

        Raises ``SettingsWrong`` for a port or a network that cannot be read.
        """
        opened = _networks(_items(settings.outbound_allow))
        return cls(
            ports=frozenset(_ports(_items(settings.outbound_ports))),
            opened=opened + _LOOPBACK if settings.demo else opened,
        )

    def opens(self, address: Address) -> bool:
        """Return whether the operator opened this address explicitly."""
        plain = unmapped(address)
        return any(plain in network for network in self.opened if network.version == plain.version)

    def permits(self, address: Address, port: int, reach: Reach) -> bool:
        """Return whether a request may connect to this address and port."""
        match reach:
            case Reach.ANYWHERE:
                return True
            case Reach.GUARDED:
                return self.opens(address) or (port in self.ports and is_public(address))
            case Reach.OPENED:
                return self.opens(address)


def is_public(address: Address) -> bool:
    """Return whether an address is a public unicast address."""
    match unmapped(address):
        case IPv4Address() as v4:
            return not any(v4 in network for network in _NOT_PUBLIC_V4)
        case IPv6Address() as v6:
            return v6 in _GLOBAL_UNICAST_V6 and not any(v6 in network for network in _NOT_PUBLIC_V6)


def unmapped(address: Address) -> Address:
    """Return the IPv4 address inside an IPv4-mapped IPv6 one, and every other address as it is."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def literal(host: str) -> Address | None:
    """Return the address of a literal host, in any notation that the system's resolver reads, or None for a name.

    ``2130706433``, ``0x7f.1``, ``0177.0.0.1`` and ``127.1`` are all 127.0.0.1; so is ``localhost`` (RFC 6761).
    """
    plain = host.rstrip(".").lower()
    if plain == "localhost" or plain.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    try:
        return ip_address(plain)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(plain))
    except OSError:
        return None


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _networks(items: Iterable[str]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(item) for item in items)
    except ValueError as error:
        raise SettingsWrong(f"KASSA_OUTBOUND_ALLOW should be networks such as 10.1.0.0/16: {error}.") from None


def _ports(items: Iterable[str]) -> list[int]:
    ports = [int(item) if item.isascii() and item.isdigit() else 0 for item in items]
    if not all(0 < port <= _PORT_MAX for port in ports):
        raise SettingsWrong("KASSA_OUTBOUND_PORTS should be port numbers such as 80,443.")
    return ports
