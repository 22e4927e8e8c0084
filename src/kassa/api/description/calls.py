"""One operation's call as code to copy: curl, Python, PHP and JavaScript, with the keys taken from the environment."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kassa.api.description.operation import FORM_TYPE
from kassa.api.description.schemas import Schema
from kassa.values import Value

LANGUAGES: Final = {"curl": "curl", "python": "Python", "php": "PHP", "javascript": "JavaScript"}
"""Names of the languages, by the code that highlighters use, in the order in which they are shown."""


class Call(Value, frozen=True, kw_only=True):
    """A request, before it is written in a language."""

    method: str
    url: str
    scheme: str | None
    """``account`` for HTTP Basic, ``token`` for a Bearer token, None where no header authenticates."""
    media_type: str | None
    body: Any
    json_answer: bool


def samples(document: Schema, method: str, path: str, operation: Schema) -> dict[str, str]:
    """Return the call of an operation in every language."""
    call = _call(document, method, path, operation)
    return {"curl": _curl(call), "python": _python(call), "php": _php(call), "javascript": _javascript(call)}


def _call(document: Schema, method: str, path: str, operation: Schema) -> Call:
    for parameter in operation.get("parameters", []):
        path = path.replace(f"{{{parameter['name']}}}", str(parameter.get("example", "")))
    server, *_ = operation["servers"] if "servers" in operation else document["servers"]
    media_type, body = None, None
    if method == "POST":
        media_type, content = next(iter(operation["requestBody"]["content"].items()))
        body = content.get("example", {})
    good: Schema = next((each for status, each in operation["responses"].items() if status < "3"), {})
    return Call(
        method=method,
        url=server["url"] + path,
        scheme=next((name for each in operation["security"] for name in each), None),
        media_type=media_type,
        body=body,
        json_answer="text/html" not in good.get("content", {}),
    )


def bracketed(members: Mapping[str, Any], *above: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a form with the same content: ``customer[name]`` for the name inside of the customer."""
    for name, value in members.items():
        if isinstance(value, Mapping):
            yield from bracketed(value, *above, name)
        else:
            first, *inner = *above, name
            yield first + "".join(f"[{each}]" for each in inner), str(value)


_CURL: Final = {"account": '-u "$ACCOUNT_ID:$API_KEY"', "token": '-H "Authorization: Bearer $TOKEN"'}


def _curl(call: Call) -> str:
    # curl chooses between GET and POST by the body, and there are no other methods.
    parts = [f"curl {call.url}", *([_CURL[call.scheme]] if call.scheme else [])]
    if call.media_type == FORM_TYPE:
        parts += [f"--data-urlencode {shlex.quote(f'{name}={text}')}" for name, text in bracketed(call.body)]
    elif call.media_type is not None:
        parts += [f"-H 'Content-Type: {call.media_type}'", f"-d {shlex.quote(_json(call.body))}"]
    return " \\\n  ".join(parts)


_PYTHON: Final = {
    "account": 'auth=(os.environ["ACCOUNT_ID"], os.environ["API_KEY"])',
    "token": 'headers={"Authorization": f"Bearer {os.environ[\'TOKEN\']}"}',
}


def _python(call: Call) -> str:
    parts = [json.dumps(call.url), *([_PYTHON[call.scheme]] if call.scheme else [])]
    if call.media_type == FORM_TYPE:
        parts.append(f"data={_literal(dict(bracketed(call.body)), _PYTHON_SYNTAX, 1)}")
    elif call.media_type is not None:
        parts.append(f"json={_literal(call.body, _PYTHON_SYNTAX, 1)}")
    arguments = ",\n    ".join(parts)
    shown = "answer.json()" if call.json_answer else "answer.text"
    imports = "import os\n\nimport requests" if call.scheme else "import requests"
    return (
        f"{imports}\n\nanswer = requests.{call.method.lower()}(\n    {arguments},\n    timeout=30,\n)\n"
        f"print(answer.status_code, {shown})"
    )


_PHP: Final = {
    "account": "CURLOPT_USERPWD => getenv('ACCOUNT_ID') . ':' . getenv('API_KEY')",
    "token": "CURLOPT_XOAUTH2_BEARER => getenv('TOKEN')",
}


def _php(call: Call) -> str:
    options = ["CURLOPT_RETURNTRANSFER => true", "CURLOPT_TIMEOUT => 30"]
    if call.scheme == "token":
        options.append("CURLOPT_HTTPAUTH => CURLAUTH_BEARER")
    options += [_PHP[call.scheme]] if call.scheme else []
    if call.media_type == FORM_TYPE:
        fields = _literal(dict(bracketed(call.body)), _PHP_SYNTAX, 1)
        options.append(f"CURLOPT_POSTFIELDS => http_build_query({fields})")
    elif call.media_type is not None:
        options.append(f"CURLOPT_HTTPHEADER => ['Content-Type: {call.media_type}']")
        options.append(f"CURLOPT_POSTFIELDS => json_encode({_literal(call.body, _PHP_SYNTAX, 1)})")
    listed = ",\n    ".join(options)
    shown = "print_r(json_decode($answer, true));" if call.json_answer else "echo $answer;"
    return (
        f"<?php\n$request = curl_init({_php_text(call.url)});\n"
        f"curl_setopt_array($request, [\n    {listed},\n]);\n$answer = curl_exec($request);\n"
        f"echo curl_getinfo($request, CURLINFO_RESPONSE_CODE), PHP_EOL;\n{shown}"
    )


_JAVASCRIPT: Final = {
    "account": "Authorization: `Basic ${btoa(`${process.env.ACCOUNT_ID}:${process.env.API_KEY}`)}`",
    "token": "Authorization: `Bearer ${process.env.TOKEN}`",
}


def _javascript(call: Call) -> str:
    headers = [_JAVASCRIPT[call.scheme]] if call.scheme else []
    if call.media_type not in {None, FORM_TYPE}:
        headers.append(f'"Content-Type": "{call.media_type}"')
    options = [f'method: "{call.method}"']
    if headers:
        options.append("headers: {\n    " + ",\n    ".join(headers) + ",\n  }")
    if call.media_type == FORM_TYPE:
        options.append(f"body: new URLSearchParams({_indented(_json(dict(bracketed(call.body))))})")
    elif call.media_type is not None:
        options.append(f"body: JSON.stringify({_indented(_json(call.body))})")
    listed = ",\n  ".join(options)
    shown = "answer.json()" if call.json_answer else "answer.text()"
    return (
        f"const answer = await fetch({json.dumps(call.url)}, {{\n  {listed},\n}});\n"
        f"console.log(answer.status, await {shown});"
    )


class Syntax(Value, frozen=True, kw_only=True):
    """How a language writes a literal."""

    begin: str
    end: str
    arrow: str
    constants: Mapping[bool | None, str]


_PYTHON_SYNTAX: Final = Syntax(begin="{", end="}", arrow=": ", constants={True: "True", False: "False", None: "None"})
_PHP_SYNTAX: Final = Syntax(begin="[", end="]", arrow=" => ", constants={True: "true", False: "false", None: "null"})


def _literal(value: Any, syntax: Syntax, depth: int) -> str:
    """Return a JSON value as Python or PHP writes it, indented for ``depth`` levels."""
    text = _php_text if syntax is _PHP_SYNTAX else _json
    if isinstance(value, bool) or value is None:
        return syntax.constants[value]
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, Mapping | list):
        return str(value)
    if isinstance(value, list):
        parts, begin, end = [_literal(each, syntax, depth + 1) for each in value], "[", "]"
    else:
        parts = [f"{text(name)}{syntax.arrow}{_literal(each, syntax, depth + 1)}" for name, each in value.items()]
        begin, end = syntax.begin, syntax.end
    if not parts:
        return begin + end
    inner = "".join(f"{'    ' * (depth + 1)}{part},\n" for part in parts)
    return f"{begin}\n{inner}{'    ' * depth}{end}"


def _php_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
