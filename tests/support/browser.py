"""A real Chromium: pages in fresh contexts, whose consoles have to stay free of errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal, TypedDict, Unpack

from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, async_playwright

from tests.support import chromium

_ARGUMENTS: Final = [
    "--no-sandbox",  # neither root nor a container has one to offer, and all pages here are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE_MILLISECONDS: Final = 60_000


class Look(TypedDict, total=False):
    """What a test can choose about the context of its page; Playwright's own words."""

    java_script_enabled: bool
    locale: str
    color_scheme: Literal["dark", "light", "no-preference"]
    viewport: ViewportSize


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run Chromium, the installed one or else Playwright's own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.installed(), args=_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(browser: Browser, **look: Unpack[Look]) -> AsyncIterator[Page]:
    """Open a page in a context of its own; at the end its console must have shown no error and no page an exception."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.type}: {message.text}")

    context = await browser.new_context(**look)
    try:
        context.set_default_timeout(_PATIENCE_MILLISECONDS)
        page = await context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        yield page
        assert complaints == []
    finally:
        await context.close()
