"""A provider whose requests are counted and timed, by outcome."""

import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

from kassa.errors import ProviderGarbled, ProviderSilent
from kassa.observability import tracing
from kassa.observability.metrics import provider_request_seconds, provider_requests_total
from kassa.providers import protocol
from kassa.providers.protocol import Provider

P = ParamSpec("P")
Answer = TypeVar("Answer")

REQUESTS: Final = ("pay", "resume", "status", "refund", "cancel", "statement")
"""The verbs that call the provider, the optional ones included; ``receive`` does not."""

_OUTCOMES: Final[dict[type[Any], str]] = {
    protocol.Accepted: "ok",
    protocol.Statement: "ok",
    protocol.Redirect: "redirect",
    protocol.Pending: "pending",
    protocol.Declined: "declined",
    protocol.Absent: "absent",
}
_UNKNOWN: Final = "unknown"
"""The outcome where there is no answer, none that makes sense, or the request was given up."""


class Metered:
    """A provider's verbs, and no others: its optional verbs are recognised by being there."""

    def __init__(self, provider: Provider) -> None:
        self.code = provider.code
        self.receive = provider.receive
        for verb in REQUESTS:
            if (method := getattr(provider, verb, None)) is not None:
                setattr(self, verb, _measured(provider.code, verb, method))


def metered(provider: Provider) -> Provider:
    """Return the provider with its requests counted."""
    return cast("Provider", Metered(provider))


def _measured(code: str, verb: str, request: Callable[P, Awaitable[Answer]]) -> Callable[P, Awaitable[Answer]]:
    @wraps(request)
    async def measured(*args: P.args, **kwargs: P.kwargs) -> Answer:
        begun, outcome = time.monotonic(), "error"
        try:
            with tracing.span(f"{code} {verb}", "client", provider=code, operation=verb):
                answer = await request(*args, **kwargs)
            outcome = _OUTCOMES.get(type(answer), "ok")
        except (ProviderSilent, ProviderGarbled):
            outcome = _UNKNOWN
            raise
        except Exception:
            raise
        except BaseException:
            outcome = _UNKNOWN  # a deadline of the caller's has cancelled the request
            raise
        finally:
            provider_requests_total.labels(code, verb, outcome).inc()
            provider_request_seconds.labels(code, verb).observe(time.monotonic() - begun)
        return answer

    return measured
