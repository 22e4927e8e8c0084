"""Which routes answer with which errors, and in which shape (contract#errors)."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from kassa.api.description import schemas, texts
from kassa.api.description.operation import Caller, Operation, Parameter
from kassa.api.description.schemas import Schema
from kassa.jsonapi.answers import PLAIN, RETRY_AFTER, DetailedErrors, InvalidErrors, PlainErrors, error_entry

_ALWAYS: Final = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
_WITH_BODY: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
_BY_CALLER: Final = {
    Caller.PRIVATE: (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
    Caller.PUBLIC: (HTTPStatus.UNAUTHORIZED,),
    Caller.GATE: (HTTPStatus.UNAUTHORIZED,),
    Caller.PROVIDER: (HTTPStatus.UNAUTHORIZED,),
}


def expected(operation: Operation) -> list[HTTPStatus]:
    """Return the error statuses of a route, in their order."""
    found = {*_ALWAYS, *_BY_CALLER[operation.caller], *operation.errors}
    if operation.body is not None:
        found.update(_WITH_BODY)
        if operation.body.type is not None:
            found.add(HTTPStatus.UNPROCESSABLE_ENTITY)
    if operation.conflict is not None or takes_key(operation):
        found.add(HTTPStatus.CONFLICT)
    return sorted(found)


def takes_key(operation: Operation) -> bool:
    """Whether a route takes an ``Idempotency-Key``."""
    return operation.caller is Caller.PRIVATE and operation.method == "POST"


def common_parameters(operation: Operation) -> Iterator[Parameter]:
    """Yield the parameters that follow from the kind of route."""
    if takes_key(operation):
        yield texts.IDEMPOTENCY_KEY


def responses() -> dict[str, Schema]:
    """Return the errors that routes share, by name."""
    return {name(status): _response(status, meaning) for status, meaning in texts.ERRORS.items()}


def name(status: HTTPStatus) -> str:
    """Return the name of a shared error: its status' phrase without spaces."""
    return status.phrase.replace(" ", "").replace("-", "")


def _response(status: HTTPStatus, meaning: str) -> Schema:
    made: Schema = {"description": meaning}
    if headers := _headers(status):
        made["headers"] = headers
    kind, example = _body(status)
    made["content"] = {"application/json": {"schema": schemas.reference(kind), "example": example}}
    return made


def _body(status: HTTPStatus) -> tuple[Any, Any]:
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        return InvalidErrors, {"errors": {"amount": "This value should be greater than 0."}}
    entry = error_entry(status, texts.ERRORS[status])
    kind = PlainErrors if status in PLAIN else DetailedErrors
    return kind, {"errors": [{field: getattr(entry, field) for field in entry.__struct_fields__}]}


def _headers(status: HTTPStatus) -> Schema:
    if status in RETRY_AFTER:
        return {"Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer"}}}
    if status is HTTPStatus.CONFLICT:
        return texts.UNDER_WAY
    if status is HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return {}
