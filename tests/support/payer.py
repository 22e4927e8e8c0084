"""A payer: opens the address that the merchant forwards to, and does what the pages ask, in a browser."""

from typing import Any, Final

from playwright.async_api import Page

from tests.support.api import Client

SECURE: Final = "5123817234060000"
PLAIN: Final = "5519283812030000"
SECURE_REFUSED: Final = "4412397212080000"
REFUSED: Final = "4302912837020000"


async def asked(shop: Client, **changes: Any) -> tuple[str, str]:
    """Let a shop ask for a payment; return the invoice's id and the card page's address."""
    created = await shop.create(**changes)
    return created.data["id"], created.attributes["flow_data"]["action"]


async def enter(page: Page, number: str, *, expiry: str = "12/30", code: str = "123") -> None:
    """Fill in the card and press the button."""
    await page.get_by_label("Card number").fill(number)
    await page.get_by_label("Expiry date").fill(expiry)
    await page.get_by_label("Security code").fill(code)
    await page.get_by_role("button", name="Pay $").click()


async def decide(page: Page, decision: str) -> None:
    """Answer the bank's 3-D Secure page, once the browser is there, and come back."""
    await page.wait_for_url("**/acs/**")
    await page.locator(f"button[name=decision][value={decision}]").click()
    await page.wait_for_url("**/hpp/**")


async def heading(page: Page, text: str) -> None:
    """Wait for a page with this heading."""
    await page.get_by_role("heading", name=text, exact=True).wait_for()
