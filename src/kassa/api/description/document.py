"""The OpenAPI 3.1 description of what is served, made from the route table."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from starlette.routing import BaseRoute, Mount

from kassa.api.description import refusals, schemas, words
from kassa.api.description.operation import FORM_TYPE, HTML_TYPE, Asks, Caller, Described, Gives, Operation, Parameter
from kassa.api.description.schemas import Schema
from kassa.invoices import wire
from kassa.jsonapi.answers import BareErrors, InvalidErrors, ToldErrors

_PAGE: Final = {HTML_TYPE: {"schema": {"type": "string"}}}
_SCHEMES: Final = {
    Caller.PRIVATE: ("account", {"type": "http", "scheme": "basic"}),
    Caller.GATE: ("token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
}


def describe(base_url: str, routes: Iterable[BaseRoute], gate_url: str, gate: Mapping[str, Operation]) -> Schema:
    """Return the description of every route in a table that says what it does, and of the card gate's, by path."""
    told = list(described(routes))
    paths: Schema = {}
    for path, operation in told:
        paths.setdefault(path, {})[operation.method.lower()] = _operation(path, operation)
    for path, operation in gate.items():
        there = {"servers": [{"url": gate_url}]}
        paths.setdefault(path, {})[operation.method.lower()] = _operation(path, operation) | there
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kassa API",
            "version": version("kassa"),
            "description": words.INTRODUCTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "tags": [{"name": caller.value, "description": words.CALLERS[caller]} for caller in Caller],
        "paths": paths,
        "webhooks": {"callback": {"post": _callback()}},
        "components": {
            "schemas": _schemas([*(operation for _, operation in told), *gate.values()]),
            "responses": refusals.responses(),
            "securitySchemes": {
                name: {**scheme, "description": words.CALLERS[caller]} for caller, (name, scheme) in _SCHEMES.items()
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
    if operation.words:
        made["description"] = operation.words
    if parameters := [*operation.parameters, *refusals.common_parameters(operation)]:
        made["parameters"] = [_parameter(each) for each in parameters]
    if operation.asks is not None:
        made["requestBody"] = _body(operation.asks)
    headers = words.REPLAYED if refusals.takes_key(operation) else {}
    made["responses"] = {str(each.status.value): {**_answer(each), **headers} for each in operation.gives}
    for status in refusals.expected(operation):
        made["responses"][str(status.value)] = _refusal(status, operation)
    made["security"] = [{_SCHEMES[operation.caller][0]: []}] if operation.caller in _SCHEMES else []
    return made


def _name(path: str, operation: Operation) -> str:
    parts = [part.strip("{}").replace("-", "_") for part in path.split("/") if part]
    return "_".join([operation.method.lower(), *parts])


def _parameter(parameter: Parameter) -> Schema:
    made: Schema = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.words,
        "schema": dict(parameter.schema),
    }
    if parameter.place == "path":
        made["required"] = True
    if parameter.example is not None:
        made["example"] = parameter.example
    return made


def _body(asks: Asks) -> Schema:
    content: Schema = {"schema": _asked(asks)}
    if asks.example is not None:
        content["example"] = asks.example
    if FORM_TYPE in asks.media_types:
        content["encoding"] = dict.fromkeys(schemas.nested(asks.type), words.BRACKETS)
    return {
        "required": asks.type is not None and not asks.may_be_empty,
        "content": dict.fromkeys(asks.media_types, content),
    }


def _asked(asks: Asks) -> Schema:
    if asks.type is None:
        return {}
    members = schemas.reference(asks.type)
    if asks.public_key:
        members = {"type": "object", "allOf": [members], **words.PUBLIC_KEY_MEMBER}
    if asks.resource is None:
        return members
    kind = {"enum": list(dict.fromkeys([asks.resource, asks.resource.removesuffix("s")]))}
    resource = {
        "type": "object",
        "properties": {"type": kind, "attributes": members},
        "required": ["attributes"],
    }
    return {"type": "object", "properties": {"data": resource}, "required": ["data"]}


def _answer(gives: Gives) -> Schema:
    made: Schema = {"description": gives.words}
    if gives.status is HTTPStatus.SEE_OTHER:
        made["headers"] = words.LOCATION
    if gives.media_type is None:
        return made
    if gives.type is not None:
        content: Schema = {"schema": schemas.reference(gives.type)}
        if gives.example is not None:
            content["example"] = gives.example
        made["content"] = {gives.media_type: content}
    else:
        made["content"] = {gives.media_type: {"schema": {"type": "string"}}}
    return made


def _refusal(status: HTTPStatus, operation: Operation) -> Schema:
    if operation.pages:
        return {"description": words.ON_PAGES.get(status, words.REFUSALS[status]), "content": _PAGE}
    if status is not HTTPStatus.CONFLICT or operation.conflict is None:
        return {"$ref": f"#/components/responses/{refusals.name(status)}"}
    body = {
        "type": "object",
        "properties": {
            "errors": {"type": "array", "items": {"$ref": f"{schemas.PREFIX}Told"}},
            "data": schemas.reference(operation.conflict),
        },
        "required": ["errors"],
    }
    headers = {"headers": words.UNDER_WAY} if refusals.takes_key(operation) else {}
    meaning = f"{operation.conflict_words} {words.SAME_KEY if headers else ''}".strip()
    return {"description": meaning, **headers, "content": {"application/json": {"schema": body}}}


def _callback() -> Schema:
    return {
        "operationId": "callback",
        "summary": "What Kassa sends to the merchant at every change of an invoice's status",
        "description": words.CALLBACKS,
        "parameters": [_parameter(each) | {"required": True} for each in words.SIGNATURES],
        "requestBody": {"content": {"application/json": {"schema": schemas.reference(wire.Document)}}},
        "responses": {"2XX": {"description": "Received. Any other answer, or none, brings it again later."}},
    }


def _schemas(operations: Iterable[Operation]) -> Schema:
    asked: list[Any] = []
    given: list[Any] = [wire.Document, BareErrors, ToldErrors, InvalidErrors]
    for operation in operations:
        if operation.asks is not None and operation.asks.type is not None:
            asked.append(operation.asks.type)
        given += [each.type for each in operation.gives if each.type is not None]
        given += [operation.conflict] if operation.conflict is not None else []
    return {**schemas.read(asked), **schemas.written(given)}
