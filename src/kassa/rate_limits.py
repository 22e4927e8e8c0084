"""Rate limits: of what one client may request, and of what we send a provider. In memory, by the monotonic clock.

Each process counts for itself, so N processes admit N times as much. Limits that hold for all processes together are
counted in the database (``payments.declines``).
"""

import contextlib
import time
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiolimiter import AsyncLimiter

from kassa.config import Settings
from kassa.errors import NotFound, TooMany
from kassa.observability.metrics import refused_total

Network = IPv4Network | IPv6Network

_MINUTE_SECONDS = 60.0
_CLIENTS_MAX = 100_000
_HOSTS_REMEMBERED = 10_000
_NETWORK_BITS = 64
"""An IPv6 subscriber has a network of their own, and can use all of its addresses."""


@lru_cache(maxsize=_HOSTS_REMEMBERED)
def network_of(host: str) -> Network | None:
    """Return the network that a client is counted by, or None where the text is not an address."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if address.version == 4:  # noqa: PLR2004 - of the two versions that there are
        return IPv4Network(address)
    return IPv6Network((int(address), _NETWORK_BITS), strict=False)


class RateLimit:
    """A limit of ``times`` in any ``seconds`` for each client, in a sliding window; 0 is no limit."""

    def __init__(self, name: str, times: int, *, seconds: float = _MINUTE_SECONDS, clients: int = _CLIENTS_MAX) -> None:
        """``name`` is the limit's label in the metrics. Of more than ``clients``, the longest unseen is forgotten."""
        self._name = name
        self._times = times
        self._seconds = seconds
        self._clients = clients
        self._seen: dict[Hashable, deque[float]] = {}

    def check(self, *client_key: str) -> None:
        """Raise ``TooMany`` where this client is at the limit; count nothing."""
        seen = self._seen.get(_client(client_key)) if self._times > 0 else None
        if seen is not None and len(seen) >= self._times:
            wait = seen[0] + self._seconds - time.monotonic()
            if wait > 0:
                refused_total.labels(self._name).inc()
                raise TooMany(wait)

    def count(self, *client_key: str) -> None:
        """Count one request."""
        if self._times <= 0:
            return
        client = _client(client_key)
        seen = self._seen.pop(client, None) or deque(maxlen=self._times)
        seen.append(time.monotonic())
        self._seen[client] = seen
        if len(self._seen) > self._clients:
            del self._seen[next(iter(self._seen))]

    @contextlib.contextmanager
    def guessing(self, *client_key: str) -> Iterator[None]:
        """Count the body if it raises ``NotFound``. Raises ``TooMany`` at the limit, before the body runs."""
        self.check(*client_key)
        try:
            yield
        except NotFound:
            self.count(*client_key)
            raise

    def take(self, *client_key: str) -> None:
        """Count one request, or raise ``TooMany``: refused requests do not count."""
        self.check(*client_key)
        self.count(*client_key)


class Throttle:
    """At most ``per_second`` requests to each provider, and as many at once after a pause; callers wait."""

    def __init__(self, per_second: int) -> None:
        self._limiters = defaultdict[str, AsyncLimiter](lambda: AsyncLimiter(per_second, time_period=1))

    async def wait(self, provider: str) -> None:
        """Wait until the next request to this provider is allowed."""
        await self._limiters[provider].acquire()


class RateLimits:
    """The limits on what clients may request of us, and we of providers."""

    def __init__(self, settings: Settings) -> None:
        self.creations = RateLimit("creations", settings.limit("creations_by_address"))
        """Invoices created with one public key from one address."""
        self.misses = RateLimit("misses", settings.limit("misses_by_address"))
        """Ids that do not exist, from one address."""
        self.attempts = RateLimit("attempts", settings.limit("attempts_by_address"))
        """Cards sent from one address."""
        self.polls = Throttle(settings.provider_questions_per_second)
        """The worker's polls of each provider, whatever they are about."""


def _client(client_key: tuple[str, ...]) -> Hashable:
    """Return the key to count by: all addresses of one subscriber have the same."""
    return tuple(network_of(each) or each for each in client_key)
