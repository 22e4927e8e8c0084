"""Limits of open connections: how many one process takes in all, and how many from one address."""

from collections import Counter
from ipaddress import ip_address, ip_network

from kassa.errors import SettingsWrong
from kassa.rate_limits import Network, network_of


class ConnectionLimits:
    """How many connections this process has over all of its ports, and how many it takes."""

    def __init__(self, *, total_max: int = 0, by_address_max: int = 0, proxies: str = "") -> None:
        """Take the maximum of all connections, and of those from one address that is not a proxy's; 0 for no limit.

        Raises ``SettingsWrong`` for ``proxies`` that are no addresses and networks, comma-separated.
        """
        self._total_max = total_max
        self._by_address_max = by_address_max
        self._proxies = _networks(proxies)
        self._total = 0
        self._by_address: Counter[Network] = Counter()

    def admit(self, host: str) -> bool:
        """Count one more connection from a host, if there is room for it; return whether there was."""
        network = self._network(host)
        full = self._total_max and self._total >= self._total_max
        if full or (network and self._by_address_max and self._by_address[network] >= self._by_address_max):
            return False
        self._total += 1
        if network:
            self._by_address[network] += 1
        return True

    def release(self, host: str) -> None:
        """Make room again for what was counted."""
        self._total -= 1
        network = self._network(host)
        if network:
            self._by_address[network] -= 1
            if not self._by_address[network]:
                del self._by_address[network]

    def _network(self, host: str) -> Network | None:
        """Return what a host's connections are counted under, or None for a proxy, who speaks for many."""
        network = network_of(host)
        if network is None or any(ip_address(host) in proxy for proxy in self._proxies):
            return None
        return network


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(item.strip()) for item in text.split(",") if item.strip())
    except ValueError as error:
        raise SettingsWrong(f"KASSA_TRUSTED_PROXIES should be addresses or networks: {error}.") from None
