"""``Idempotency-Key`` on the private API's POSTs: the first result answers the repeats (``idempotency.model``).

A request without the header costs no more than reading its headers.
"""

from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kassa.api import auth
from kassa.errors import BadRequest, DatabaseUnavailable, KassaError, RequestUnderWay
from kassa.idempotency import model, operations
from kassa.idempotency.model import HEADER, Claim, Result
from kassa.jsonapi.answers import INTERNAL, answer, refusal
from kassa.jsonapi.body import read_bytes
from kassa.platform import Platform

REPLAYED: Final = {"Idempotent-Replayed": "true"}

_NAME: Final = HEADER.lower().encode()
_STATE: Final = "idempotency"

log = structlog.get_logger()


def claim_of(request: Request) -> Claim | None:
    """Return the claim of the key that a request is executed under."""
    claim: Claim | None = getattr(request.state, _STATE, None)
    return claim


class Idempotent:
    """The layer around the private API (pure ASGI)."""

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests without a key, execute a key's first request, answer its repeats."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        keys = [value for name, value in scope["headers"] if name == _NAME]
        if not keys:
            return await self._app(scope, receive, send)
        try:
            response = await self._answer(scope, receive, keys)
        except KassaError as error:
            response = refusal(error)
            if isinstance(error, RequestUnderWay):
                response.headers["Retry-After"] = "1"
        return await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, keys: list[bytes]) -> Response:
        request = Request(scope, receive)
        account = await auth.private_account(self._platform, request)
        key = keys[0].decode("latin-1")
        if len(keys) > 1 or not model.is_key(key):
            raise BadRequest(f"{HEADER} should be there once, and be 1 to 255 printable ASCII characters.")
        body = await read_bytes(request)
        claimed = await operations.claim(
            self._platform.pool,
            account_id=account.account_id,
            tag=account.tag,
            key=key,
            fingerprint=model.fingerprint(scope["method"], scope["path"].removeprefix(scope["root_path"]), body),
            now=self._platform.clock.real(),
        )
        if isinstance(claimed, Result):
            return Response(claimed.body, claimed.status, REPLAYED, "application/json")
        return await self._execute(scope, receive, body, claimed)

    async def _execute(self, scope: Scope, receive: Receive, body: bytes, claim: Claim) -> Response:
        """Let the API answer, and record the answer before it is sent."""
        scope.setdefault("state", {})[_STATE] = claim
        answered = _CollectedAnswer()
        try:
            await self._app(scope, _ReplayedBody(body, receive), answered)
        except Exception:
            await self._record(claim, Result(status=500, body=bytes(answer(INTERNAL).body)))
            raise
        response = answered.response()
        await self._record(claim, Result(status=response.status_code, body=bytes(response.body)))
        return response

    async def _record(self, claim: Claim, result: Result) -> None:
        """Record the result; where that fails the lease ends by itself, and the next repeat finds what was done."""
        try:
            await operations.record(self._platform.pool, claim, result, now=self._platform.clock.real())
        except DatabaseUnavailable:
            log.warning("result not kept for its Idempotency-Key", account_id=claim.account_id, status=result.status)


class _ReplayedBody:
    """Replays a body that was read already."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._receive = receive

    async def __call__(self) -> Message:
        return self._messages.pop() if self._messages else await self._receive()


class _CollectedAnswer:
    """Collects an answer instead of sending it."""

    def __init__(self) -> None:
        self._start: Message = {}
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body += message.get("body", b"")

    def response(self) -> Response:
        """Return what was collected."""
        response = Response(bytes(self._body), self._start["status"])
        response.raw_headers = list(self._start["headers"])
        return response
