"""Hooks of the documentation site: the API's reference and ``openapi.json``, made from the code at each build."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from kassa.api import app, gate
from kassa.api.description import document
from kassa.api.description.calls import LANGUAGES
from kassa.api.description.reading import Entry, Member, Sample, entries
from kassa.config import Settings
from kassa.platform import Platform

BASE_URL = "https://pay.example.com"
GATE_URL = "https://cards.example.com"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code."""
    described = describe()
    for name, content in (("api.md", page(described)), ("openapi.json", json.dumps(described, indent=2))):
        files.append(File.generated(config, name, content=content))
    return files


def describe() -> dict[str, Any]:
    """Return the API's description as a Kassa at the example addresses serves it."""
    settings = Settings(base_url=BASE_URL, gate_url=GATE_URL)
    # The route table reads the settings alone until it is asked something.
    routes = app.routes(cast("Platform", SimpleNamespace(settings=settings)))
    return document.describe(BASE_URL, routes, GATE_URL, gate.OPERATIONS)


def page(described: dict[str, Any]) -> str:
    """Return the API's reference in Markdown."""
    return "\n".join(_lines(described))


def _lines(described: dict[str, Any]) -> Iterator[str]:
    yield "# API reference\n"
    yield "A running Kassa serves this page at `/docs`, with its own addresses. For tools: [openapi.json](openapi.json).\n"
    yield "## Authentication\n"
    yield "| part | credentials |\n|---|---|"
    for tag in described["tags"]:
        yield f"| [{tag['name']}](#{_slug(tag['name'])}) | {_cell(tag['description'])} |"
    yield "\n## Conventions\n"
    yield _prose(described["info"]["description"])
    for tag in described["tags"]:
        yield f"\n## {tag['name']} {{ #{_slug(tag['name'])} }}\n"
        for entry in entries(described, tag["name"]):
            yield from _operation(entry)
    callback = described["webhooks"]["callback"]["post"]
    yield f"\n## Callbacks\n\n{callback['summary']}.\n\n{_prose(callback['description'])}"


def _operation(entry: Entry) -> Iterator[str]:
    yield f"### {entry.summary} {{ #{entry.anchor} }}\n"
    yield f"`{entry.method} {entry.path}`\n\n{_prose(entry.words)}\n"
    for code, name in LANGUAGES.items():
        language = "sh" if code == "curl" else code
        yield f'=== "{name}"\n\n' + _indented(f"```{language}\n{entry.calls[code]}\n```") + "\n"
    if entry.parameters:
        yield f"**Parameters**\n\n{_members(entry.parameters)}\n"
    if entry.asks is not None and entry.asks.members:
        yield f"**Body**, {entry.asks.words}\n\n{_members(entry.asks.members)}\n"
    for sample in entry.gives:
        yield from _answer(sample)
    yield "**Errors**\n\n| status | meaning |\n|---|---|"
    for status, words in entry.errors:
        yield f"| `{status}` | {_cell(words)} |"
    yield ""


def _answer(sample: Sample) -> Iterator[str]:
    if not sample.members:
        yield f"**Answer {sample.title}**: {_prose(sample.words)}\n"
        return
    yield f'??? note "Answer {sample.title}: {sample.words}"\n'
    if sample.example:
        yield _indented(f"```json\n{sample.example}\n```") + "\n"
    yield _indented(_members(sample.members)) + "\n"


def _members(rows: list[Member]) -> str:
    lines = ["| name | type | meaning |", "|---|---|---|"]
    for row in rows:
        name = f"{'&emsp;' * row.depth}`{row.name}`{' **required**' if row.required else ''}"
        lines.append(f"| {name} | {_cell(row.kind)} | {_cell(row.words)} |")
    return "\n".join(lines)


def _slug(name: str) -> str:
    return f"the-{name.lower().replace(' ', '-')}"


def _cell(text: str) -> str:
    return " ".join(_prose(text).split()).replace("|", "\\|")


def _prose(text: str) -> str:
    return text.replace("``", "`").replace("````", "```") if "```" not in text else _fenced(text)


def _fenced(text: str) -> str:
    """Return text with fenced blocks, whose fences are not the quotes of code."""
    return "```".join(part.replace("``", "`") for part in text.split("```"))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.splitlines())
