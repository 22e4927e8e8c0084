"""How often one visitor may ask, and how often we ask a provider: by this process' own clock, kept in its memory.

Several processes beside each other each count for themselves, so together they admit so many times as much. What has to
hold over all of them is counted in the database (``payments.declines``).
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
_VISITORS_MAX = 100_000
_HOSTS_REMEMBERED = 10_000
_NETWORK_BITS = 64
"""A subscriber of IPv6 has a network of his own: whoever has one address of it has all of them."""


@lru_cache(maxsize=_HOSTS_REMEMBERED)
def network_of(host: str) -> Network | None:
    """Return the network that a visitor is counted by, or None for what is no address."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if address.version == 4:  # noqa: PLR2004 - of the two versions that there are
        return IPv4Network(address)
    return IPv6Network((int(address), _NETWORK_BITS), strict=False)


class Pace:
    """A limit of so many ``times`` in each ``seconds``, for each visitor alone; 0 for none."""

    def __init__(
        self, name: str, times: int, *, seconds: float = _MINUTE_SECONDS, visitors: int = _VISITORS_MAX
    ) -> None:
        """``name`` is the limit's in the counters; of more ``visitors`` than that, the longest unseen are forgotten."""
        self._name = name
        self._times = times
        self._seconds = seconds
        self._visitors = visitors
        self._seen: dict[Hashable, deque[float]] = {}

    def check(self, *who: str) -> None:
        """Raise ``TooMany`` where this visitor has no time left, and count nothing."""
        seen = self._seen.get(_visitor(who)) if self._times > 0 else None
        if seen is not None and len(seen) >= self._times:
            wait = seen[0] + self._seconds - time.monotonic()
            if wait > 0:
                refused_total.labels(self._name).inc()
                raise TooMany(wait)

    def count(self, *who: str) -> None:
        """Count one time."""
        if self._times <= 0:
            return
        visitor = _visitor(who)
        seen = self._seen.pop(visitor, None) or deque(maxlen=self._times)
        seen.append(time.monotonic())
        self._seen[visitor] = seen
        if len(self._seen) > self._visitors:
            del self._seen[next(iter(self._seen))]

    @contextlib.contextmanager
    def guessing(self, *who: str) -> Iterator[None]:
        """Count one time where what is asked for is not there; raise ``TooMany`` before it is looked for."""
        self.check(*who)
        try:
            yield
        except NotFound:
            self.count(*who)
            raise

    def take(self, *who: str) -> None:
        """Count one time, or raise ``TooMany`` where none is left: what is refused does not count."""
        self.check(*who)
        self.count(*who)


class Turns:
    """So many questions a second to each provider, and so many at once after a silence; whoever asks waits his turn."""

    def __init__(self, per_second: int) -> None:
        self._limiters = defaultdict[str, AsyncLimiter](lambda: AsyncLimiter(per_second, time_period=1))

    async def wait(self, provider: str) -> None:
        """Wait until this provider may be asked."""
        await self._limiters[provider].acquire()


class Paces:
    """The limits on what strangers may ask of us, and we of providers."""

    def __init__(self, settings: Settings) -> None:
        self.creations = Pace("creations", settings.limit("creations_by_address"))
        """Invoices by a public key from an address."""
        self.misses = Pace("misses", settings.limit("misses_by_address"))
        """Ids that open nothing, from an address."""
        self.attempts = Pace("attempts", settings.limit("attempts_by_address"))
        """Cards sent from an address."""
        self.questions = Turns(settings.provider_questions_per_second)
        """What the worker asks providers, whatever it is about."""


def _visitor(who: tuple[str, ...]) -> Hashable:
    """Return what is counted: addresses of one subscriber are one."""
    return tuple(network_of(each) or each for each in who)
