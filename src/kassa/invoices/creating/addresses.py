"""The addresses that an invoice brings: where its callbacks go and where its payer returns to."""

import re
from typing import Final
from urllib.parse import urlsplit

from kassa.errors import AddressRefused, Message
from kassa.invoices.creating.request import CreateInvoice, CreateReturnUrls
from kassa.outbound import Outbound

_UNFIT: Final = re.compile(r"[\x00-\x20\x7f\\]")


def check(outbound: Outbound, request: CreateInvoice, errors: dict[str, str], *, test_mode: bool) -> None:
    """Add to ``errors`` each address that cannot be used: plain HTTP is for test mode only."""
    if request.callback_url is not None:
        try:
            outbound.check_url(request.callback_url, https_only=not test_mode)
        except AddressRefused as error:
            errors["callback_url"] = error.detail
    urls = request.return_urls or CreateReturnUrls()
    named = {
        "return_url": request.return_url,
        "return_urls.success": urls.success,
        "return_urls.fail": urls.fail,
        "return_urls.pending": urls.pending,
    }
    for name, url in named.items():
        if url is not None and (problem := return_problem(url, https_only=not test_mode)):
            errors[name] = problem


def return_problem(url: str, *, https_only: bool) -> Message | None:
    """Return what is wrong with an address for the payer's browser, or None for a plain http(s) address."""
    if _UNFIT.search(url):
        return Message("This value should hold no spaces, control characters or backslashes.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return Message("This value is not a valid URL.")
    if parts.scheme not in ("http", "https") or not host or not url.startswith(f"{parts.scheme}://"):
        return Message("This value is not a valid URL.")
    if parts.username is not None or parts.password is not None:
        return Message("This value should hold no user name or password.")
    if https_only and parts.scheme != "https":
        return Message("This value should begin with https://.")
    return None
