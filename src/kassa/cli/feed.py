"""Where ``kassa listen`` gets callbacks from: a Kassa's API with a key, or this home. Both hand over the same."""

import base64
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from kassa import ids
from kassa.accounts.model import Account
from kassa.api.private.listeners import CopiesDocument, CopyResource, ListenerDocument, described, handed_over
from kassa.callbacks.listeners import operations
from kassa.callbacks.listeners.model import WAIT_SECONDS_MAX
from kassa.errors import Invalid, KassaError, NotFound, RequestFailed
from kassa.outbound import Outbound
from kassa.platform import Platform

_ANSWER_SECONDS: Final = 30.0
_ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
_SHOWN_MAX: Final = 300
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

T = TypeVar("T")


class Feed(Protocol):
    """An account's callbacks."""

    async def open(self, *, test_mode: bool) -> str:
        """Open a lease and return its id."""

    async def callbacks(self, listener_id: str, received: Sequence[str]) -> list[CopyResource]:
        """Wait a while for callbacks. Raises ``NotFound`` where the lease is over."""


class ApiFeed:
    """By the private API, with an API key and nothing else."""

    def __init__(self, outbound: Outbound, url: str, account_id: str, api_key: str) -> None:
        """Take a Kassa's address. Raises ``Invalid`` for one that a key would travel to in the clear."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise Invalid({"--api": "This address should begin with https://, for the key is sent there."})
        self._outbound = outbound
        self._url = f"{url.rstrip('/')}/callback-listeners"
        credentials = base64.b64encode(f"{account_id}:{api_key}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}

    async def open(self, *, test_mode: bool) -> str:
        """Open a lease and return its id."""
        asked = {"data": {"type": "callback-listeners", "attributes": {"test_mode": test_mode}}}
        opened = await self._asked("POST", self._url, asked, ListenerDocument)
        return opened.data.id

    async def callbacks(self, listener_id: str, received: Sequence[str]) -> list[CopyResource]:
        """Wait a while for callbacks. Raises ``NotFound`` where the lease is over."""
        query = urlencode({"wait": WAIT_SECONDS_MAX, "received": ",".join(received)})
        found = await self._asked("GET", f"{self._url}/{listener_id}/callbacks?{query}", None, CopiesDocument)
        return found.data

    async def _asked(self, method: str, url: str, content: Any, kind: type[T]) -> T:
        try:
            answer = await self._outbound.request(
                method,
                url,
                headers=self._headers,
                body=msgspec.json.encode(content) if content is not None else b"",
                timeout_seconds=_ANSWER_SECONDS,
                guarded=False,
                answer_bytes_max=_ANSWER_BYTES_MAX,
            )
        except RequestFailed as error:
            raise KassaError(f"{urlsplit(url).netloc} cannot be asked: {error.cause}.") from None
        match answer.status:
            case HTTPStatus.OK | HTTPStatus.CREATED:
                pass
            case HTTPStatus.NOT_FOUND:
                raise NotFound(f"{self._url} is not there: is --api a Kassa, and does it know listeners?")
            case HTTPStatus.UNAUTHORIZED:
                raise Invalid({"--key": "The account does not have this API key."})
            case _:
                text = answer.body[:_SHOWN_MAX].decode(errors="replace")
                raise KassaError(f"{self._url} answered {answer.status}: {text}")
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.MsgspecError:
            raise KassaError(f"{self._url} answered what no Kassa answers: is --api the address of one?") from None


class HomeFeed:
    """From the home's own database, for the operator, who has no merchant's key."""

    def __init__(self, platform: Platform, account: Account) -> None:
        self._platform = platform
        self._account = account

    async def open(self, *, test_mode: bool) -> str:
        """Open a lease and return its id."""
        listener_id = ids.new_id("lis", self._account.tag)
        listener = await operations.listen(self._platform, self._account, listener_id, test_mode=test_mode)
        return described(listener).id

    async def callbacks(self, listener_id: str, received: Sequence[str]) -> list[CopyResource]:
        """Wait a while for callbacks. Raises ``NotFound`` where the lease is over."""
        found = await handed_over(
            self._platform, self._account, listener_id, received=list(received), seconds=WAIT_SECONDS_MAX
        )
        return found.data
