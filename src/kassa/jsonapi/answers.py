"""Writing answers: JSON from our types, and each error in the shape of its status (contract#errors)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from kassa.errors import Invalid, KassaError, TooMany

log = structlog.get_logger()


class PlainError(msgspec.Struct, frozen=True, kw_only=True):
    """An error without details."""

    status: str
    """The status' name, as in RFC 9110."""
    code: str
    """The status' number, as text."""


class DetailedError(PlainError, frozen=True, kw_only=True):
    """An error with details."""

    title: str
    detail: str
    """A sentence for people."""


class PlainErrors(msgspec.Struct, frozen=True, kw_only=True):
    """The body of 401, 404 and 405."""

    errors: list[PlainError]


class DetailedErrors(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every other error but 422."""

    errors: list[DetailedError]


class InvalidErrors(msgspec.Struct, frozen=True, kw_only=True):
    """The body of 422: all that is wrong with a request."""

    errors: dict[str, str]
    """What is wrong with each value, by its name: nested names with dots, such as ``customer.reference_id``."""


PLAIN: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
"""Statuses whose errors have no details."""
RETRY_AFTER: Final = {HTTPStatus.TOO_MANY_REQUESTS: "1", HTTPStatus.SERVICE_UNAVAILABLE: "1"}
_INTERNAL: Final = DetailedError(
    status="internal_error", code="500", title="internal_error", detail="Internal server error."
)
INTERNAL: Final = DetailedErrors(errors=[_INTERNAL])
"""The body of every 500."""

encoder: Final = msgspec.json.Encoder(decimal_format="number")


def answer(content: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return an answer in JSON, whatever the request's ``Accept`` says."""
    return Response(encoder.encode(content), status_code=status, media_type="application/json")


def error_entry(status: HTTPStatus, detail: str) -> PlainError:
    """Return one entry of an error body's list."""
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return _INTERNAL
    if status in PLAIN:
        return PlainError(status=status.phrase, code=str(status.value))
    return DetailedError(status=status.phrase, code=str(status.value), title=status.phrase, detail=detail)


def refusal(error: KassaError) -> Response:
    """Return the answer for one of our errors."""
    if isinstance(error, Invalid):
        texts = {name: str(text) for name, text in error.errors.items()}  # as plain text: a Message is not JSON
        return answer(InvalidErrors(errors=texts), error.status)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else None
    return _failed(error.status, error.detail, headers)


def conflict(detail: str, data: Mapping[str, Any] | object | None) -> Response:
    """Return 409 with the existing object (contract#errors), or without it where the caller may not read it."""
    body: dict[str, Any] = {"errors": [error_entry(HTTPStatus.CONFLICT, detail)]}
    if data is not None:
        body["data"] = data
    return answer(body, HTTPStatus.CONFLICT)


def _failed(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    response = answer({"errors": [error_entry(status, detail)]}, status)
    response.headers.update(headers or {})
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="kassa"'
    if status in RETRY_AFTER and "Retry-After" not in response.headers:
        response.headers["Retry-After"] = RETRY_AFTER[status]
    return response


async def on_kassa_error(request: Request, error: Exception) -> Response:
    """Answer one of our errors."""
    assert isinstance(error, KassaError)  # noqa: S101 - the table below says so
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        defect = error if error.status == HTTPStatus.INTERNAL_SERVER_ERROR else None
        log.warning("request failed", error=type(error).__name__, detail=str(error), exc_info=defect)
    return refusal(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer an error of the router: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - the table below says so
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return _failed(HTTPStatus(error.status_code), error.detail, headers)


def _methods(request: Request) -> set[str]:
    """Return the methods of a path; the router only knows those of its first route."""
    there = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in there for method in getattr(route, "methods", ())}


async def on_defect(request: Request, error: Exception) -> Response:
    """Answer a defect without any details; the server logs it with its trace."""
    return _failed(HTTPStatus.INTERNAL_SERVER_ERROR, "")


HANDLERS: Final = {KassaError: on_kassa_error, HTTPException: on_http_error, Exception: on_defect}
"""The exception handlers of every application for machines."""
