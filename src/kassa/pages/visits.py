"""What a payer's request says about how to answer it: the language, and whether to remember it."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kassa.pages.languages import COOKIE, PARAMETERS, choose, known

_YEAR_SECONDS = 365 * 24 * 3600


def language(request: Request, invoice: str | None = None) -> str:
    """Return the language for an answer; ``invoice`` is the one that the merchant asked for."""
    spoken: str | None = getattr(request.state, "language", None)
    return spoken or choose(
        asked=_asked(request),
        cookie=request.cookies.get(COOKIE),
        invoice=invoice,
        accepted=request.headers.get("accept-language"),
    )


def speak(request: Request, data: Mapping[str, Any]) -> str:
    """Return the language that ``data`` asks for, else the browser's, and answer this request in it from now on.

    For requests that come from other sites, where a cookie of ours has no say.
    """
    asked = next((value for name in PARAMETERS if isinstance(value := data.get(name), str)), _asked(request))
    spoken = choose(asked=asked, cookie=None, invoice=None, accepted=request.headers.get("accept-language"))
    request.state.language = spoken
    return spoken


def remember(request: Request, response: Response) -> Response:
    """Keep a language that the payer has just asked for, so that the next page comes in it too."""
    code = known(_asked(request))
    if code is not None:
        response.set_cookie(
            COOKIE, code, max_age=_YEAR_SECONDS, httponly=True, samesite="lax", secure=request.url.scheme == "https"
        )
    return response


def _asked(request: Request) -> str | None:
    return next((value for name in PARAMETERS if (value := request.query_params.get(name))), None)
