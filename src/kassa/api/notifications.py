"""Providers' notifications: a genuine one makes the worker poll the attempt; its content is not believed."""

from http import HTTPStatus
from typing import Final, Literal

import structlog
from starlette.requests import Request
from starlette.responses import Response

from kassa import ids
from kassa.accounts.model import Route
from kassa.api.auth import client_ip
from kassa.api.description.operation import Answer, Caller, Operation, Parameter, RequestBody
from kassa.errors import NotFound, Unauthorized
from kassa.invoices.tables import payments as queries
from kassa.invoices.tables import refunds
from kassa.jsonapi.answers import answer
from kassa.jsonapi.body import read_bytes
from kassa.platform import Platform
from kassa.providers.protocol import Notice, Provider
from kassa.values import Value

_log = structlog.get_logger(__name__)


class Received(Value, frozen=True, kw_only=True):
    """The answer to a genuine notification about a payment of ours."""

    status: Literal["ok"] = "ok"


RECEIVE: Final = Operation(
    method="POST",
    caller=Caller.PROVIDER,
    summary="Notify of a payment",
    description="A notification with a valid signature makes Kassa poll the provider at once; any other is refused"
    " with 401.",
    parameters=(
        Parameter(name="provider", place="path", description="The provider's code.", example="test"),
        Parameter(
            name="provider_account_id",
            place="path",
            description="The id under which Kassa keeps the account at the provider.",
            schema={"type": "string", "minLength": 1},
            example="ma_aBctkJ3WiRndih0m",
        ),
    ),
    body=RequestBody(type=None, media_types=("application/json",)),
    answers=(Answer(type=Received, description="Accepted; Kassa polls the provider.", example={"status": "ok"}),),
    errors=(HTTPStatus.NOT_FOUND,),
)


class Notifications:
    """Handler of ``/providers/{provider}/notifications/{provider_account_id}``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def receive(self, request: Request) -> Response:
        """POST: 200 when the notification is genuine and about a payment of ours; 401 when it is forged; else 404."""
        tag = ids.tag_of(request.path_params["provider_account_id"], "ma")
        if tag is None:
            raise NotFound
        account = await self._platform.accounts.by_tag(tag)
        route = await self._platform.accounts.credentials(
            account.account_id, request.path_params["provider_account_id"]
        )
        if route.provider != request.path_params["provider"]:
            raise NotFound
        provider = self._platform.providers.get(route.provider)
        notice = _read(provider, route, request, await read_bytes(request))
        payment = await queries.by_id(self._platform.pool, notice.payment_id, account_id=account.account_id)
        if payment is None or payment.provider_account_id != route.credentials.provider_account_id:
            raise NotFound
        now = self._platform.clock.now(test_mode=payment.test_mode)
        await queries.wake(
            self._platform.pool,
            payment.payment_id,
            account_id=account.account_id,
            now=now,
            dispute=notice.dispute,
        )
        if notice.refund_id is not None:
            await refunds.wake(self._platform.pool, notice.refund_id, account_id=account.account_id, now=now)
        return answer(Received())


def _read(provider: Provider, route: Route, request: Request, body: bytes) -> Notice:
    try:
        return provider.receive(route.credentials, request.headers, body)
    except Unauthorized:
        # A forgery, or a provider's secret that was changed on one side only: operators need to know of both.
        _log.warning(
            "notification refused: its signature is wrong",
            provider=route.provider,
            provider_account_id=route.credentials.provider_account_id,
            client_ip=client_ip(request),
        )
        raise
