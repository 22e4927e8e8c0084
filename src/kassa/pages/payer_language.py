"""The language to answer a payer's request in, and remembering it."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kassa.pages.languages import COOKIE, PARAMETERS, choose, known

_YEAR_SECONDS = 365 * 24 * 3600


def of(request: Request, invoice: str | None = None) -> str:
    """Return the language to answer in; ``invoice`` is the language that the merchant set."""
    language: str | None = getattr(request.state, "language", None)
    return language or choose(
        wanted=_in_query(request),
        cookie=request.cookies.get(COOKIE),
        invoice=invoice,
        accepted=request.headers.get("accept-language"),
    )


def override(request: Request, data: Mapping[str, Any]) -> str:
    """Return the language that ``data`` names, else the browser's, and answer this request in it from now on.

    For requests that come from other sites, where our cookie does not count.
    """
    wanted = next((value for name in PARAMETERS if isinstance(value := data.get(name), str)), _in_query(request))
    language = choose(wanted=wanted, cookie=None, invoice=None, accepted=request.headers.get("accept-language"))
    request.state.language = language
    return language


def remember(request: Request, response: Response) -> Response:
    """Keep the language that the payer has just chosen, so that the next page has it too."""
    code = known(_in_query(request))
    if code is not None:
        response.set_cookie(
            COOKIE, code, max_age=_YEAR_SECONDS, httponly=True, samesite="lax", secure=request.url.scheme == "https"
        )
    return response


def _in_query(request: Request) -> str | None:
    return next((value for name in PARAMETERS if (value := request.query_params.get(name))), None)
