"""A visitor whose browser runs no scripts: follows redirects and refreshes, fills in forms, presses buttons."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlencode, urljoin

import aiohttp
from yarl import URL

HOPS_MAX: Final = 10


@dataclass(kw_only=True)
class Form:
    """A form as it came: where it goes, what is in it, its buttons."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Page:
    """A page as somebody without scripts sees it."""

    url: str
    status: int
    headers: Mapping[str, str]
    text: str
    title: str = ""
    headings: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    """All but the one that cancels."""
    cancel: Form | None = None
    """The form that gives the payment up."""
    links: dict[str, str] = field(default_factory=dict)
    """Addresses by the link's words."""
    refresh: tuple[int, str] | None = None
    """After how many seconds the browser goes where by itself."""

    @property
    def heading(self) -> str:
        """The page's main heading."""
        assert self.headings, f"{self.url} answered {self.status} without a heading"
        return self.headings[0]

    @property
    def form(self) -> Form:
        """The page's only form."""
        assert len(self.forms) == 1, f"{self.url} has {len(self.forms)} forms"
        return self.forms[0]


class _Reader(HTMLParser):
    """Reads what a browser without scripts would use; what is in ``noscript`` counts."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._words: list[str] = []
        self._link: str | None = None
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        page = self._page
        if tag in {"title", "h1", "h2", "a"}:
            self._words = []
            self._link = values.get("href")
        elif tag == "form":
            action = urljoin(page.url, values.get("action", ""))
            self._form = Form(method=values.get("method", "get").upper(), action=action)
            if action.endswith("/cancel"):
                page.cancel = self._form
            else:
                page.forms.append(self._form)
        elif tag == "input" and self._form is not None and "name" in values:
            self._form.fields[values["name"]] = values.get("value", "")
        elif tag == "button" and self._form is not None and "name" in values:
            self._form.buttons.append((values["name"], values.get("value", "")))
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            seconds, _, url = values["content"].partition(";")
            page.refresh = (int(seconds), urljoin(page.url, re.sub(r"^\s*url=", "", url, flags=re.IGNORECASE)))

    def handle_endtag(self, tag: str) -> None:
        words = " ".join("".join(self._words).split())
        if tag == "title":
            self._page.title = words
        elif tag in {"h1", "h2"}:
            self._page.headings.append(words)
        elif tag == "a" and self._link is not None:
            self._page.links[words] = urljoin(self._page.url, self._link)

    def handle_data(self, data: str) -> None:
        self._words.append(data)


class Visitor:
    """Somebody's browser."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.visited: list[str] = []
        """Every address that was asked for, as ``METHOD url``."""

    async def open(self, url: str) -> Page:
        """Open an address."""
        return await self._go("GET", url, None)

    async def press(self, page: Page, value: str = "", **entered: str) -> Page:
        """Fill in a page's form and press its button; ``value`` names one of several."""
        form = page.form
        button = [(name, each) for name, each in form.buttons if each == value]
        assert button or not value, f"{page.url} has no button {value}"
        unknown = set(entered) - set(form.fields)
        assert not unknown, f"{page.url} asks for no {unknown}"
        body = urlencode([*{**form.fields, **entered}.items(), *button]).encode()
        return await self._go(form.method, form.action, body)

    async def give_up(self, page: Page) -> Page:
        """Press the button that cancels the payment."""
        assert page.cancel is not None, f"{page.url} has no way to cancel"
        return await self._go(page.cancel.method, page.cancel.action, urlencode(page.cancel.fields).encode())

    async def send(self, url: str, **fields: str) -> Page:
        """Send a form and go nowhere from there: return the first answer."""
        return await self._ask("POST", url, urlencode(fields).encode())

    async def press_at_once(self, page: Page, times: int, **entered: str) -> list[int]:
        """Send a page's form so many times at once, and return the statuses of the first answers."""
        fields = page.form.fields | entered
        answers = await asyncio.gather(*(self.send(page.form.action, **fields) for _ in range(times)))
        return [answer.status for answer in answers]

    async def wait(self, page: Page) -> Page:
        """Go where the page takes its visitor by itself, without the wait."""
        assert page.refresh is not None, f"{page.url} stays"
        return await self.open(page.refresh[1])

    async def follow(self, page: Page, words: str) -> Page:
        """Follow the link with these words."""
        assert words in page.links, f"{page.url} has {list(page.links)}, not {words}"
        return await self.open(page.links[words])

    async def _go(self, method: str, url: str, body: bytes | None) -> Page:
        for _ in range(HOPS_MAX):
            page = await self._ask(method, url, body)
            if page.status in (301, 302, 303, 307, 308):
                assert page.status == 303 or method == "GET", f"{url} answered {page.status} to a {method}"
                method, url, body = "GET", urljoin(url, page.headers["Location"]), None
            elif page.refresh is not None and page.refresh[0] == 0:
                method, url, body = "GET", page.refresh[1], None
            else:
                return page
        raise AssertionError(f"{url} is one of too many hops")

    async def _ask(self, method: str, url: str, body: bytes | None) -> Page:
        self.visited.append(f"{method} {url}")
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        async with self._session.request(
            method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text()
            page = Page(url=str(answer.url), status=answer.status, headers=answer.headers, text=text)
        reader = _Reader(page)
        reader.feed(text)
        reader.close()
        return page


@asynccontextmanager
async def visiting() -> AsyncIterator[Visitor]:
    """Give a browser with cookies of its own."""
    async with aiohttp.ClientSession() as session:
        yield Visitor(session)
