"""The description of one route, beside it in the route table."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa.values import Value

JSON_TYPES: Final = ("application/json", "application/vnd.api+json")
FORM_TYPE: Final = "application/x-www-form-urlencoded"
HTML_TYPE: Final = "text/html"


class Caller(StrEnum):
    """Who calls a route; the description is grouped by it."""

    PRIVATE = "Private API"
    """A merchant's server, with the account's id and API key."""
    PUBLIC = "Public API"
    """A browser."""
    GATE = "Card gate"
    """A merchant's server that handles cards, with an invoice's token, at the gate's own address."""
    PROVIDER = "Providers"
    """A payment provider, which signs what it sends."""


class Parameter(Value, frozen=True, kw_only=True):
    """A value in the path, the query or the headers of a request."""

    name: str
    description: str
    place: Literal["path", "query", "header"] = "query"
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})
    example: str | int | None = None


class RequestBody(Value, frozen=True, kw_only=True):
    """A request's body."""

    type: Any
    """The struct that ``jsonapi.fields`` reads its members into, or None for a body that only its caller knows."""
    resource: str | None = None
    """The JSON:API type around the members; None where they are at the top level."""
    public_key: bool = False
    """Whether the account's public key is one of the members."""
    media_types: tuple[str, ...] = JSON_TYPES
    example: Mapping[str, Any] | None = None
    may_be_empty: bool = False
    """Whether the body may be left out."""


class Answer(Value, frozen=True, kw_only=True):
    """A successful answer."""

    type: Any
    """The struct that is written, or None for a page and for a redirect."""
    status: HTTPStatus = HTTPStatus.OK
    media_type: str | None = JSON_TYPES[0]
    """None for an answer without a body."""
    description: str = "Done."
    example: Mapping[str, Any] | None = None


class Operation(Value, frozen=True, kw_only=True):
    """What a route does, takes, returns and refuses; ``document`` adds what all routes of a caller have in common."""

    method: Literal["GET", "POST"]
    caller: Caller
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: RequestBody | None = None
    answers: tuple[Answer, ...]
    conflict: Any = None
    """The type of the existing object in the body of a 409."""
    on_conflict: str = ""
    """What a 409 means here."""
    errors: tuple[HTTPStatus, ...] = ()
    """Error statuses beyond those that follow from caller and body."""
    pages: bool = False
    """Whether it answers with pages, errors included."""


class Described(Route):
    """A route with its description."""

    def __init__(
        self, path: str, endpoint: Callable[[Request], Awaitable[Response]] | Starlette, operation: Operation
    ) -> None:
        # An application answers other methods by itself.
        methods = None if isinstance(endpoint, Starlette) else [operation.method]
        super().__init__(path, endpoint, methods=methods)
        self.operation = operation
