"""The way from a worker process to the demo shop, which remembers orders and so runs in one process alone."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kassa.demo.shop import BODY_BYTES_MAX, PATH
from kassa.errors import KassaError
from kassa.platform import Platform

_ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
"""The last 50 callbacks, indented, are shown on one page."""
_SECONDS: Final = 20.0
_NOT_PASSED_ON: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "expect", "x-request-id"}
)
_OF_THE_REQUEST_ALONE: Final = frozenset({"host", "accept-encoding", "user-agent"})


def routes(platform: Platform, shop_url: str) -> list[BaseRoute]:
    """Return the shop's addresses, answered by the process that runs it at ``shop_url``."""
    relay = Relay(platform, shop_url)
    methods = ["GET", "HEAD", "POST"]
    return [Route(PATH, relay.pass_on, methods=methods), Route(f"{PATH}/{{rest:path}}", relay.pass_on, methods=methods)]


class Relay:
    """Passes requests on, and answers back."""

    def __init__(self, platform: Platform, shop_url: str) -> None:
        self._outbound = platform.outbound
        self._shop_url = shop_url

    async def pass_on(self, request: Request) -> Response:
        """Answer what the shop answers; 413 for a body that it would not take, 502 where it does not answer."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            answer = await self._outbound.request(
                request.method,
                f"{self._shop_url}{request.url.path}{query}",
                headers=_kept(request),
                body=bytes(body),
                timeout_seconds=_SECONDS,
                guarded=False,
                answer_bytes_max=_ANSWER_BYTES_MAX,
            )
        except KassaError:
            return Response(status_code=HTTPStatus.BAD_GATEWAY)
        headers = {name: value for name, value in answer.headers.items() if name not in _NOT_PASSED_ON}
        return Response(answer.body, answer.status, headers=headers)


def _kept(request: Request) -> dict[str, str]:
    left_out = _NOT_PASSED_ON | _OF_THE_REQUEST_ALONE
    return {name: value for name, value in request.headers.items() if name not in left_out}
