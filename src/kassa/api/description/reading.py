"""The API's description as people read it: each operation with its parameters, body, answers and errors as rows."""

import json
from collections.abc import Iterator
from typing import Any, Final

from kassa.api.description import calls
from kassa.api.description.schemas import PREFIX, Schema
from kassa.values import Value

_RESPONSES: Final = "#/components/responses/"


class Member(Value, frozen=True, kw_only=True):
    """One line of a table of members."""

    name: str
    depth: int
    kind: str
    required: bool
    description: str


class Sample(Value, frozen=True, kw_only=True):
    """A request's body, or an answer."""

    title: str
    description: str
    members: list[Member]
    example: str | None


class Entry(Value, frozen=True, kw_only=True):
    """One operation."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Member]
    body: Sample | None
    calls: dict[str, str]
    """The call in each of ``calls.LANGUAGES``."""
    answers: list[Sample]
    errors: list[tuple[str, str]]
    """What may go wrong: status and meaning."""


def entries(document: Schema, tag: str) -> Iterator[Entry]:
    """Yield the operations of a group, in the order of the route table."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield _entry(document, method.upper(), path, operation)


def _entry(document: Schema, method: str, path: str, operation: Schema) -> Entry:
    good = {status: each for status, each in operation["responses"].items() if "$ref" not in each and status < "4"}
    bad = {status: each for status, each in operation["responses"].items() if status not in good}
    body = operation.get("requestBody")
    return Entry(
        anchor=operation["operationId"],
        method=method,
        path=operation["servers"][0]["url"] + path if "servers" in operation else path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        parameters=[
            Member(
                name=each["name"],
                depth=0,
                kind=f"{_kind(each['schema'])}, {each['in']}",
                required=each.get("required", False),
                description=each["description"],
            )
            for each in operation.get("parameters", [])
        ],
        body=_sample(document, "Body", "", body["content"], plain=True) if body else None,
        calls=calls.samples(document, method, path, operation),
        answers=[
            _sample(document, status, each["description"], each.get("content", {}), plain=False)
            for status, each in good.items()
        ],
        errors=[(status, _error(document, each)) for status, each in bad.items()],
    )


def _sample(document: Schema, title: str, description: str, content: Schema, *, plain: bool) -> Sample:
    first: Schema = next(iter(content.values()), {"schema": {}})
    example = first.get("example")
    return Sample(
        title=title,
        description=description or f"{' or '.join(content)}",
        members=list(_members(document, first["schema"], plain=plain)),
        example=json.dumps(example, indent=2, ensure_ascii=False) if example else None,
    )


def _error(document: Schema, response: Schema) -> str:
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].removeprefix(_RESPONSES)]
    description: str = response["description"]
    return description


def _members(document: Schema, schema: Schema, *, plain: bool, depth: int = 0) -> Iterator[Member]:
    """Yield a schema's members and theirs; ``plain`` names the first type alone, which is the one to send."""
    for part in schema.get("allOf", []):
        yield from _members(document, part, plain=plain, depth=depth)
    schema = _resolved(document, schema)
    required = set(schema.get("required", []))
    for name, member in schema.get("properties", {}).items():
        yield Member(
            name=name,
            depth=depth,
            kind=_kind(member, plain=plain),
            required=name in required,
            description=member.get("description", ""),
        )
        yield from _members(document, member, plain=plain, depth=depth + 1)


def _resolved(document: Schema, schema: Schema) -> Schema:
    """Return the object schema behind a reference, a choice or a list."""
    while True:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].removeprefix(PREFIX)]
        elif "anyOf" in schema:
            schema = schema["anyOf"][0]
        elif isinstance(schema.get("items"), dict):
            schema = schema["items"]
        else:
            return schema


def _kind(schema: Schema, *, plain: bool = True) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"] if value is not None)
    if "const" in schema:
        return str(schema["const"])
    options: list[Any] = [option.get("type", "object") for option in schema.get("anyOf", [])]
    kinds = options or schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    limit = f" ≤ {schema['maxLength']}" if "maxLength" in schema else ""
    return f"{kinds[0]}{limit}" if plain else " or ".join(dict.fromkeys(map(str, kinds)))
