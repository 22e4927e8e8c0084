"""The reading page: the API's description as one HTML page without scripts, which loads nothing from elsewhere."""

import html
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from kassa.api.description.operation import FORM_TYPE
from kassa.api.description.schemas import PREFIX, Schema
from kassa.pages.assets import manifest
from kassa.pages.headers import STEADY
from kassa.providers.protocol import Value

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_RESPONSES: Final = "#/components/responses/"
_CREDENTIALS: Final = {"account": '-u "$ACCOUNT_ID:$API_KEY"', "token": '-H "Authorization: Bearer $TOKEN"'}
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_CODE: Final = re.compile(r"``(.+?)``")


class Member(Value, frozen=True, kw_only=True):
    """One line of a table of members."""

    name: str
    depth: int
    kind: str
    required: bool
    words: str


class Sample(Value, frozen=True, kw_only=True):
    """A request's body, or an answer."""

    title: str
    words: str
    members: list[Member]
    example: str | None


class Entry(Value, frozen=True, kw_only=True):
    """One operation."""

    anchor: str
    method: str
    path: str
    summary: str
    words: str
    parameters: list[Member]
    asks: Sample | None
    call: str
    gives: list[Sample]
    refuses: list[tuple[str, str]]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["prose"] = prose
    return made


def read(document: Schema) -> HTMLResponse:
    """Return the page of a description."""
    base_url = document["servers"][0]["url"]
    groups = [(tag, list(_entries(document, tag["name"]))) for tag in document["tags"]]
    template = _environment().get_template("page.html")
    text = template.render(
        document=document,
        groups=[(tag, entries) for tag, entries in groups if entries],
        callback=document["webhooks"]["callback"]["post"],
        prefix=urlsplit(base_url).path.rstrip("/"),
        styles=[manifest()["page.css"], manifest()["docs.css"]],
    )
    return HTMLResponse(text, headers={**STEADY, "cache-control": "no-cache", "content-security-policy": POLICY})


class Html(str):
    """Text that is HTML already, so that templates do not escape it again."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return it as it is."""
        return self


def prose(text: str) -> Html:
    """Return CommonMark's paragraphs, ``code`` and **bold**, all that descriptions here use."""
    paragraphs = (html.escape(" ".join(part.split())) for part in text.split("\n\n") if part)
    marked = (_BOLD.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", part)) for part in paragraphs)
    return Html("".join(f"<p>{part}</p>" for part in marked))


def _entries(document: Schema, tag: str) -> Iterator[Entry]:
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
        words=operation.get("description", ""),
        parameters=[
            Member(
                name=each["name"],
                depth=0,
                kind=f"{_kind(each['schema'])}, {each['in']}",
                required=each.get("required", False),
                words=each["description"],
            )
            for each in operation.get("parameters", [])
        ],
        asks=_sample(document, "Body", "", body["content"], plain=True) if body else None,
        call=_call(document, method, path, operation),
        gives=[
            _sample(document, status, each["description"], each.get("content", {}), plain=False)
            for status, each in good.items()
        ],
        refuses=[(status, _refusal(document, each)) for status, each in bad.items()],
    )


def _sample(document: Schema, title: str, words: str, content: Schema, *, plain: bool) -> Sample:
    first: Schema = next(iter(content.values()), {"schema": {}})
    example = first.get("example")
    return Sample(
        title=title,
        words=words or f"{' or '.join(content)}",
        members=list(_members(document, first["schema"], plain=plain)),
        example=json.dumps(example, indent=2, ensure_ascii=False) if example else None,
    )


def _refusal(document: Schema, response: Schema) -> str:
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].removeprefix(_RESPONSES)]
    words: str = response["description"]
    return words


def _call(document: Schema, method: str, path: str, operation: Schema) -> str:
    """Return a call as a command line. There are only two methods, and curl chooses between them by the body."""
    for parameter in operation.get("parameters", []):
        path = path.replace(f"{{{parameter['name']}}}", str(parameter.get("example", "")))
    server, *_ = operation["servers"] if "servers" in operation else document["servers"]
    parts = [f"curl {server['url']}{path}"]
    parts += [_CREDENTIALS[name] for each in operation["security"] for name in each]
    if method == "POST":
        parts += _sent(*next(iter(operation["requestBody"]["content"].items())))
    return " \\\n  ".join(parts)


def _sent(media_type: str, content: Schema) -> list[str]:
    example = content.get("example", {})
    if media_type == FORM_TYPE:
        return [f"--data-urlencode {shlex.quote(f'{name}={text}')}" for name, text in bracketed(example)]
    body = json.dumps(example, indent=2, ensure_ascii=False)
    return [f"-H 'Content-Type: {media_type}'", f"-d {shlex.quote(body)}"]


def bracketed(members: Mapping[str, Any], *above: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a form that says the same: ``customer[name]`` for the name inside of the customer."""
    for name, value in members.items():
        if isinstance(value, Mapping):
            yield from bracketed(value, *above, name)
        else:
            first, *inner = *above, name
            yield first + "".join(f"[{each}]" for each in inner), str(value)


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
            words=member.get("description", ""),
        )
        yield from _members(document, member, plain=plain, depth=depth + 1)


def _resolved(document: Schema, schema: Schema) -> Schema:
    """Return the object that a schema stands for: behind its name, among its choices, or in its list."""
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
