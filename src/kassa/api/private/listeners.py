"""The private API's listeners, which get a copy of an account's callbacks for a while. Not in the API family."""

import re
from http import HTTPStatus
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from kassa import ids
from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.description.operation import Answer, Caller, Operation, Parameter, RequestBody
from kassa.api.idempotent import claim_of
from kassa.api.query import once, wrong
from kassa.callbacks import signing
from kassa.callbacks.listeners import operations
from kassa.callbacks.listeners.model import COPIES_MAX, LEASE_SECONDS, LISTENERS_MAX, WAIT_SECONDS_MAX, Copy, Listener
from kassa.errors import Invalid, NotFound
from kassa.invoices.document.shapes import Links, Wire
from kassa.jsonapi import fields
from kassa.jsonapi.answers import answer
from kassa.jsonapi.body import attributes, read_json
from kassa.platform import Platform
from kassa.values import Value

_IDS: Final = re.compile(rf"(msg_[A-Za-z0-9]{{16}}(,msg_[A-Za-z0-9]{{16}}){{0,{COPIES_MAX - 1}}})?")
_SECONDS: Final = re.compile(rf"[0-{WAIT_SECONDS_MAX}]")


class ListenerRequest(Value, frozen=True, kw_only=True):
    """The callbacks to listen to."""

    REQUIRED: ClassVar = frozenset({"test_mode"})

    test_mode: bool | None = None
    """Which mode's."""


class ListenerAttributes(Wire, frozen=True, kw_only=True):
    """A lease."""

    test_mode: bool
    leased_until: int
    """When it ends unless it is renewed, in unix seconds; each request for callbacks renews it."""


class ListenerResource(Wire, frozen=True, kw_only=True):
    """A lease as a JSON:API resource; ``links.self`` is where its callbacks are."""

    type: str = "callback-listeners"
    id: str
    attributes: ListenerAttributes
    links: Links


class ListenerDocument(Wire, frozen=True, kw_only=True):
    """A lease."""

    data: ListenerResource


class CopyAttributes(Wire, frozen=True, kw_only=True):
    """A callback as the account's endpoint would get it."""

    invoice_id: str
    invoice_status: str
    created: int
    """Unix seconds."""
    headers: dict[str, str]
    """Its signature headers, made now."""
    body: str
    """Its body, as text: the signatures are over its UTF-8 bytes."""


class CopyResource(Wire, frozen=True, kw_only=True):
    """A callback as a JSON:API resource."""

    type: str = "callbacks"
    id: str
    attributes: CopyAttributes


class CopiesDocument(Wire, frozen=True, kw_only=True):
    """Callbacks, oldest first."""

    data: list[CopyResource]


LISTEN: Final = Operation(
    method="POST",
    caller=Caller.PRIVATE,
    summary="Listen to callbacks",
    description=f"Opens a lease of {LEASE_SECONDS} s, which each request for callbacks renews and which ends by itself."
    " While it lives, every callback of the account in this mode is copied for it, also of invoices without a"
    " callback_url; the account's own endpoint gets its callbacks as usual. An account has up to"
    f" {LISTENERS_MAX} leases a mode: one more ends that which was renewed the longest ago.",
    body=RequestBody(type=ListenerRequest, resource="callback-listeners", example={"test_mode": True}),
    answers=(Answer(type=ListenerDocument, status=HTTPStatus.CREATED, description="The lease."),),
)
READ_COPIES: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Wait for callbacks",
    description=f"Renews the lease and returns up to {COPIES_MAX} callbacks that were not received yet, as soon as"
    " there are any. 404 once the lease has ended.",
    parameters=(
        Parameter(name="listener_id", place="path", description="The lease's id, ``lis_…``."),
        Parameter(
            name="wait",
            description=f"Seconds to wait where there are none: 0 to {WAIT_SECONDS_MAX}, by default 0.",
            schema={"type": "integer", "minimum": 0, "maximum": WAIT_SECONDS_MAX},
        ),
        Parameter(
            name="received",
            description=f"Up to {COPIES_MAX} ids of callbacks that need not be sent again, separated by commas.",
            schema={"type": "string", "pattern": f"^{_IDS.pattern}$"},
        ),
    ),
    answers=(Answer(type=CopiesDocument, description="The callbacks."),),
    errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)


class Listeners:
    """Handlers of ``/callback-listeners``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def create(self, request: Request) -> Response:
        """POST: 201 with a lease."""
        account = await auth.private_account(self._platform, request)
        errors: dict[str, str] = {}
        data = await read_json(request, errors, inside="data.attributes")
        wanted = fields.read(ListenerRequest, attributes(data, errors, kind="callback-listeners"), errors)
        if errors:
            raise Invalid(errors)
        claim = claim_of(request)
        listener_id = claim.named("lis") if claim else ids.new_id("lis", account.tag)
        listener = await operations.listen(self._platform, account, listener_id, test_mode=bool(wanted.test_mode))
        return answer(ListenerDocument(data=described(listener)), HTTPStatus.CREATED)

    async def callbacks(self, request: Request) -> Response:
        """GET: the callbacks that have come, after waiting for one."""
        account = await auth.private_account(self._platform, request)
        listener_id = request.path_params["listener_id"]
        if ids.tag_of(listener_id, "lis") != account.tag:
            raise NotFound
        seconds, received = once(request, "wait") or "0", once(request, "received") or ""
        if not _SECONDS.fullmatch(seconds):
            raise wrong("wait", f"be a number from 0 to {WAIT_SECONDS_MAX}")
        if not _IDS.fullmatch(received):
            raise wrong("received", f"be up to {COPIES_MAX} ids of callbacks, separated by commas")
        names = received.split(",") if received else []
        return answer(await handed_over(self._platform, account, listener_id, received=names, seconds=float(seconds)))


def described(listener: Listener) -> ListenerResource:
    """Return a lease as its listener sees it."""
    return ListenerResource(
        id=listener.listener_id,
        attributes=ListenerAttributes(
            test_mode=listener.test_mode, leased_until=int(listener.leased_until.timestamp())
        ),
        links=Links(self=f"/api/callback-listeners/{listener.listener_id}/callbacks"),
    )


async def handed_over(
    platform: Platform, account: Account, listener_id: str, *, received: list[str], seconds: float
) -> CopiesDocument:
    """Return a listener's new callbacks, signed now. Raises ``NotFound``."""
    listener, copies = await operations.wait(platform, account, listener_id, received=received, seconds=seconds)
    keys = await platform.accounts.private_keys(account.account_id, test_mode=listener.test_mode)
    return CopiesDocument(data=[_resource(platform, each, keys) for each in copies])


def _resource(platform: Platform, copy: Copy, keys: list[str]) -> CopyResource:
    signed = signing.headers(copy.callback_id, copy.body, keys=keys, now=platform.clock.real()) if keys else {}
    return CopyResource(
        id=copy.callback_id,
        attributes=CopyAttributes(
            invoice_id=copy.invoice_id,
            invoice_status=copy.invoice_status,
            created=int(copy.created_at.timestamp()),
            headers={"Content-Type": "application/json", **signed},
            body=copy.body.decode(),
        ),
    )
