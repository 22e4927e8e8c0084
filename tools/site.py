"""Hooks of the documentation site: the API's reference and ``openapi.json``, made from the code at each build."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from kassa.api import app, gate
from kassa.api.description import document
from kassa.api.description.calls import LANGUAGES
from kassa.api.description.reading import Entry, Member, Sample, entries
from kassa.config import Settings
from kassa.platform import Platform

BASE_URL = "https://pay.example.com"
GATE_URL = "https://cards.example.com"
SHIM = "https://unpkg.com/iframe-worker/shim"
"""Where the theme would have pages load what makes the search work on ``file://``."""
LINK = re.compile(r"\[(?P<words>[^\]]+)\]\((?P<target>\.\./[^)\s]+)\)")
FOREIGN = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^\"> ]+")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the decisions in their order, so that a new one needs no line in ``mkdocs.yml``."""
    decisions = sorted(path.name for path in Path(config.docs_dir, "decisions").glob("0*.md"))
    pages = [f"decisions/{name}" for name in ("README.md", *decisions)]
    config.nav = [*(config.nav or []), {"Decisions": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code."""
    described = describe()
    for name, content in (("api.md", page(described)), ("openapi.json", json.dumps(described, indent=2))):
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leave out links that lead from a page to the code beside the documents: the site does not hold it."""
    folder = Path(page.file.src_uri).parent

    def without(link: re.Match[str]) -> str:
        leaves = os.path.normpath(folder / link["target"]).startswith("..")
        return link["words"] if leaves else link.group()

    return LINK.sub(without, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Take the worker's stand-in for ``file://`` from the site itself, not from a third party."""
    return output.replace(SHIM, get_relative_url("assets/worker.js", page.url))


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """Do the same for the pages that belong to the theme, such as that of a wrong address."""
    return output_content.replace(SHIM, f"{config.site_url or '/'}assets/worker.js")


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site whose pages load anything from elsewhere."""
    for path in Path(config.site_dir).rglob("*.html"):
        if found := FOREIGN.search(path.read_text()):
            raise PluginError(f"{path.name} loads {found.group()} from elsewhere")


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
    yield f"`{entry.method} {entry.path}`\n\n{_prose(entry.description)}\n"
    for code, name in LANGUAGES.items():
        language = "sh" if code == "curl" else code
        yield f'=== "{name}"\n\n' + _indented(f"```{language}\n{entry.calls[code]}\n```") + "\n"
    if entry.parameters:
        yield f"**Parameters**\n\n{_members(entry.parameters)}\n"
    if entry.body is not None and entry.body.members:
        yield f"**Body**, {entry.body.description}\n\n{_members(entry.body.members)}\n"
    for sample in entry.answers:
        yield from _answer(sample)
    yield "**Errors**\n\n| status | meaning |\n|---|---|"
    for status, words in entry.errors:
        yield f"| `{status}` | {_cell(words)} |"
    yield ""


def _answer(sample: Sample) -> Iterator[str]:
    if not sample.members:
        yield f"**Answer {sample.title}**: {_prose(sample.description)}\n"
        return
    yield f'??? note "Answer {sample.title}: {sample.description}"\n'
    if sample.example:
        yield _indented(f"```json\n{sample.example}\n```") + "\n"
    yield _indented(_members(sample.members)) + "\n"


def _members(rows: list[Member]) -> str:
    lines = ["| name | type | meaning |", "|---|---|---|"]
    for row in rows:
        name = f"{'&emsp;' * row.depth}`{row.name}`{' **required**' if row.required else ''}"
        lines.append(f"| {name} | {_cell(row.kind)} | {_cell(row.description)} |")
    return "\n".join(lines)


def _slug(name: str) -> str:
    return f"the-{name.lower().replace(' ', '-')}"


def _cell(text: str) -> str:
    return " ".join(_prose(text).split()).replace("|", "\\|")


def _prose(text: str) -> str:
    """Return text with single backquotes around code; the fences of blocks stay as they are."""
    return "```".join(part.replace("``", "`") for part in text.split("```"))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.splitlines())
