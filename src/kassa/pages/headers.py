"""The security headers of every page for payers."""

from collections.abc import Iterable
from urllib.parse import urlsplit

STEADY = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_HSTS = "max-age=31536000"


def security(*, https: bool, form_targets: Iterable[str] = ()) -> dict[str, str]:
    """Return the headers of a page; ``form_targets`` are the foreign URLs that its forms may be sent to.

    Browsers check ``form-action`` against each redirect that follows a submission too. So only the page that submits to
    the issuer names another origin, and every answer to the card form redirects to ourselves.
    """
    origins = "".join(f" {origin}" for origin in sorted({origin_of(url) for url in form_targets}))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"form-action 'self'{origins}; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    transport = {"strict-transport-security": _HSTS} if https else {}
    return {**STEADY, "content-security-policy": policy, **transport}


def origin_of(url: str) -> str:
    """Return the origin of a URL. Raises ``ValueError`` where it is not http(s) or could break out of the policy."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or not set(host) <= _HOST_CHARACTERS:
        raise ValueError("This is not an address that a form can be sent to.")
    written = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{written}" + (f":{parts.port}" if parts.port else "")


_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._:")
