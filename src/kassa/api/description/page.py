"""The API's description as one HTML page, which needs no scripts and loads nothing from elsewhere."""

import html
import re
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from kassa.api.description.calls import LANGUAGES
from kassa.api.description.reading import entries
from kassa.api.description.schemas import Schema
from kassa.pages.assets import manifest
from kassa.pages.headers import STEADY

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_CODE: Final = re.compile(r"``(.+?)``")
_FENCE: Final = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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
    groups = [(tag, list(entries(document, tag["name"]))) for tag in document["tags"]]
    template = _environment().get_template("page.html")
    text = template.render(
        document=document,
        groups=[(tag, found) for tag, found in groups if found],
        callback=document["webhooks"]["callback"]["post"],
        languages=LANGUAGES,
        prefix=urlsplit(base_url).path.rstrip("/"),
        styles=[manifest()["page.css"], manifest()["docs.css"]],
        script=manifest()["docs.js"],
    )
    return HTMLResponse(text, headers={**STEADY, "cache-control": "no-cache", "content-security-policy": POLICY})


class Html(str):
    """Text that is already HTML, so that templates do not escape it again."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return it as it is."""
        return self


def prose(text: str) -> Html:
    """Return CommonMark's paragraphs, ``code``, **bold** and fenced blocks, all that descriptions here use."""
    words, *fenced = _FENCE.split(text)
    parts = [_paragraphs(words)]
    for at in range(0, len(fenced), 2):
        parts.append(f'<pre tabindex="0"><code>{html.escape(fenced[at].rstrip())}</code></pre>')
        parts.append(_paragraphs(fenced[at + 1]))
    return Html("".join(parts))


def _paragraphs(text: str) -> str:
    paragraphs = (html.escape(" ".join(part.split())) for part in text.split("\n\n") if part.strip())
    marked = (_BOLD.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", part)) for part in paragraphs)
    return "".join(f"<p>{part}</p>" for part in marked)
