"""What one route says of itself, to people and machines: the value that stands beside it in the route table."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa.providers.protocol import Value

JSON_TYPES: Final = ("application/json", "application/vnd.api+json")
FORM_TYPE: Final = "application/x-www-form-urlencoded"
HTML_TYPE: Final = "text/html"


class Caller(StrEnum):
    """Who calls, and so which group the route is shown in."""

    PRIVATE = "Private API"
    """A merchant's server, with the account's id and API key."""
    PUBLIC = "Public API"
    """A browser."""
    GATE = "Card gate"
    """A merchant's server that handles cards, with an invoice's token, at the gate's own address."""
    PROVIDER = "Providers"
    """A payment provider, which signs what it sends."""


class Parameter(Value, frozen=True, kw_only=True):
    """A value in the path, the query or the head of a request."""

    name: str
    words: str
    """What it means."""
    place: Literal["path", "query", "header"] = "query"
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})
    example: str | int | None = None


class Asks(Value, frozen=True, kw_only=True):
    """A request's body."""

    type: Any
    """The struct that its members are read into by ``api.fields``, or None for a body that only its caller knows."""
    resource: str | None = None
    """The JSON:API type around the members; None where they stand at the top."""
    public_key: bool = False
    """Whether the account's public key stands among the members."""
    media_types: tuple[str, ...] = JSON_TYPES
    example: Mapping[str, Any] | None = None
    may_be_empty: bool = False
    """Whether the request may come without it."""


class Gives(Value, frozen=True, kw_only=True):
    """A good answer."""

    type: Any
    """The struct that is written, or None for a page and for a redirect."""
    status: HTTPStatus = HTTPStatus.OK
    media_type: str | None = JSON_TYPES[0]
    """None for an answer without a body."""
    words: str = "Done."
    example: Mapping[str, Any] | None = None


class Operation(Value, frozen=True, kw_only=True):
    """What a route does, takes, gives and refuses; ``document`` adds what all routes of a caller have in common."""

    method: Literal["GET", "POST"]
    caller: Caller
    summary: str
    words: str = ""
    parameters: tuple[Parameter, ...] = ()
    asks: Asks | None = None
    gives: tuple[Gives, ...]
    conflict: Any = None
    """The type of the existing object in the body of a 409."""
    conflict_words: str = ""
    """What a 409 means here."""
    refuses: tuple[HTTPStatus, ...] = ()
    """Refusals beyond those that follow from caller and body."""
    pages: bool = False
    """Whether it answers people: what it refuses is told on a page as well."""


class Described(Route):
    """A route that says what it does."""

    def __init__(
        self, path: str, endpoint: Callable[[Request], Awaitable[Response]] | Starlette, operation: Operation
    ) -> None:
        # An application refuses other methods by itself, in its own shape.
        methods = None if isinstance(endpoint, Starlette) else [operation.method]
        super().__init__(path, endpoint, methods=methods)
        self.operation = operation
