"""The OpenAPI 3.1 description of what is served, made from the route table."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from starlette.routing import BaseRoute, Mount

from kassa.api.description import errors, schemas, texts
from kassa.api.description.operation import (
    FORM_TYPE,
    HTML_TYPE,
    Answer,
    Caller,
    Described,
    Operation,
    Parameter,
    RequestBody,
)
from kassa.api.description.schemas import Schema
from kassa.invoices.document import wire
from kassa.jsonapi.answers import DetailedErrors, InvalidErrors, PlainErrors

_PAGE: Final = {HTML_TYPE: {"schema": {"type": "string"}}}
_SCHEMES: Final = {
    Caller.PRIVATE: ("account", {"type": "http", "scheme": "basic"}),
    Caller.GATE: ("token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
}


def describe(base_url: str, routes: Iterable[BaseRoute], gate_url: str, gate: Mapping[str, Operation]) -> Schema:
    """Return the description of all described ``routes``, and of the card gate's by path."""
    found = list(described(routes))
    paths: Schema = {}
    for path, operation in found:
        paths.setdefault(path, {})[operation.method.lower()] = _operation(path, operation)
    for path, operation in gate.items():
        there = {"servers": [{"url": gate_url}]}
        paths.setdefault(path, {})[operation.method.lower()] = _operation(path, operation) | there
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kassa API",
            "version": version("kassa"),
            "description": texts.INTRODUCTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "tags": [{"name": caller.value, "description": texts.CALLERS[caller]} for caller in Caller],
        "paths": paths,
        "webhooks": {"callback": {"post": _callback()}},
        "components": {
            "schemas": _schemas([*(operation for _, operation in found), *gate.values()]),
            "responses": errors.responses(),
            "securitySchemes": {
                name: {**scheme, "description": texts.CALLERS[caller]} for caller, (name, scheme) in _SCHEMES.items()
            },
        },
    }


def described(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, Operation]]:
    """Yield the path and operation of every described route, each app once: under the first prefix it is mounted at."""
    seen: set[int] = set()
    for route in routes:
        if isinstance(route, Described):
            yield prefix + route.path, route.operation
        elif isinstance(route, Mount) and id(route.app) not in seen:
            seen.add(id(route.app))
            yield from described(route.routes, prefix + route.path)


def _operation(path: str, operation: Operation) -> Schema:
    made: Schema = {
        "operationId": _name(path, operation),
        "tags": [operation.caller.value],
        "summary": operation.summary,
    }
    if operation.description:
        made["description"] = operation.description
    if parameters := [*operation.parameters, *errors.common_parameters(operation)]:
        made["parameters"] = [_parameter(each) for each in parameters]
    if operation.body is not None:
        made["requestBody"] = _body(operation.body)
    headers = texts.REPLAYED if errors.takes_key(operation) else {}
    made["responses"] = {str(each.status.value): {**_answer(each), **headers} for each in operation.answers}
    for status in errors.expected(operation):
        made["responses"][str(status.value)] = _error(status, operation)
    made["security"] = [{_SCHEMES[operation.caller][0]: []}] if operation.caller in _SCHEMES else []
    return made


def _name(path: str, operation: Operation) -> str:
    parts = [part.strip("{}").replace("-", "_") for part in path.split("/") if part]
    return "_".join([operation.method.lower(), *parts])


def _parameter(parameter: Parameter) -> Schema:
    made: Schema = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }
    if parameter.place == "path":
        made["required"] = True
    if parameter.example is not None:
        made["example"] = parameter.example
    return made


def _body(body: RequestBody) -> Schema:
    content: Schema = {"schema": _body_schema(body)}
    if body.example is not None:
        content["example"] = body.example
    if FORM_TYPE in body.media_types:
        content["encoding"] = dict.fromkeys(schemas.nested(body.type), texts.BRACKETS)
    return {
        "required": body.type is not None and not body.may_be_empty,
        "content": dict.fromkeys(body.media_types, content),
    }


def _body_schema(body: RequestBody) -> Schema:
    if body.type is None:
        return {}
    members = schemas.reference(body.type)
    if body.public_key:
        members = {"type": "object", "allOf": [members], **texts.PUBLIC_KEY_MEMBER}
    if body.resource is None:
        return members
    kind = {"enum": list(dict.fromkeys([body.resource, body.resource.removesuffix("s")]))}
    resource = {
        "type": "object",
        "properties": {"type": kind, "attributes": members},
        "required": ["attributes"],
    }
    return {"type": "object", "properties": {"data": resource}, "required": ["data"]}


def _answer(answer: Answer) -> Schema:
    made: Schema = {"description": answer.description}
    if answer.status is HTTPStatus.SEE_OTHER:
        made["headers"] = texts.LOCATION
    if answer.media_type is None:
        return made
    if answer.type is not None:
        content: Schema = {"schema": schemas.reference(answer.type)}
        if answer.example is not None:
            content["example"] = answer.example
        made["content"] = {answer.media_type: content}
    else:
        made["content"] = {answer.media_type: {"schema": {"type": "string"}}}
    return made


def _error(status: HTTPStatus, operation: Operation) -> Schema:
    if operation.pages:
        return {"description": texts.ON_PAGES.get(status, texts.ERRORS[status]), "content": _PAGE}
    if status is not HTTPStatus.CONFLICT or operation.conflict is None:
        return {"$ref": f"#/components/responses/{errors.name(status)}"}
    body = {
        "type": "object",
        "properties": {
            "errors": {"type": "array", "items": {"$ref": f"{schemas.PREFIX}DetailedError"}},
            "data": schemas.reference(operation.conflict),
        },
        "required": ["errors"],
    }
    headers = {"headers": texts.UNDER_WAY} if errors.takes_key(operation) else {}
    meaning = f"{operation.on_conflict} {texts.SAME_KEY if headers else ''}".strip()
    return {"description": meaning, **headers, "content": {"application/json": {"schema": body}}}


def _callback() -> Schema:
    return {
        "operationId": "callback",
        "summary": "What Kassa sends to the merchant at every change of an invoice's status",
        "description": texts.CALLBACKS,
        "parameters": [_parameter(each) | {"required": True} for each in texts.SIGNATURES],
        "requestBody": {"content": {"application/json": {"schema": schemas.reference(wire.Document)}}},
        "responses": {"2XX": {"description": "Received. Any other answer, or none, brings it again later."}},
    }


def _schemas(operations: Iterable[Operation]) -> Schema:
    read: list[Any] = []
    written: list[Any] = [wire.Document, PlainErrors, DetailedErrors, InvalidErrors]
    for operation in operations:
        if operation.body is not None and operation.body.type is not None:
            read.append(operation.body.type)
        written += [each.type for each in operation.answers if each.type is not None]
        written += [operation.conflict] if operation.conflict is not None else []
    return {**schemas.read(read), **schemas.written(written)}
