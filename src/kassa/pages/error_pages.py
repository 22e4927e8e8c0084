"""Errors as pages in the payer's language, for the same tree of errors as the API's."""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kassa.errors import KassaError, TooMany
from kassa.pages import payer_language
from kassa.pages.languages import translations
from kassa.pages.outcome import Link, Outcome
from kassa.pages.reasons import Gettext
from kassa.pages.templates import page

Handler = Callable[[Request, Exception], Awaitable[Response]]

_RETRY_AFTER_SECONDS = "5"
_PAYMENT = re.compile(r"/hpp/(?:cgi|result/cpi)_[A-Za-z0-9]{16}(?=/|$)")

log = structlog.get_logger(__name__)


def handlers(site: str) -> dict[type[Exception] | int, Handler]:
    """Return the exception handlers of a Starlette application of pages."""

    async def of_kassa(request: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, KassaError) else HTTPStatus.INTERNAL_SERVER_ERROR
        _log_defect(status, error)
        response = error_page(request, status, site=site, found=status != HTTPStatus.NOT_FOUND)
        if isinstance(error, TooMany):
            response.headers["retry-after"] = str(error.seconds)
        return response

    async def of_starlette(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
        _log_defect(status, error)
        headers = error.headers if isinstance(error, HTTPException) else None
        response = error_page(request, HTTPStatus(status), site=site)
        response.headers.update(headers or {})
        return response

    async def of_a_defect(request: Request, error: Exception) -> Response:
        _log_defect(HTTPStatus.INTERNAL_SERVER_ERROR, error)
        return error_page(request, HTTPStatus.INTERNAL_SERVER_ERROR, site=site)

    return {KassaError: of_kassa, HTTPException: of_starlette, Exception: of_a_defect}


def _log_defect(status: int, error: Exception) -> None:
    # The trace carries no locals, so no card that a form has brought.
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("page failed", exc_info=error)
    elif status > HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("page not available", exc_info=error)


def error_page(request: Request, status: HTTPStatus, *, site: str, found: bool = True) -> Response:
    """Return the page of an error; it links back to the payment, unless the payment is what was not ``found``."""
    language = payer_language.of(request)
    gettext = translations(language).gettext
    heading, text = _texts(status, gettext)
    link = _back_to_payment(request, site, gettext) if found else None
    response = page(
        "outcome.html",
        language=language,
        site=site,
        status=status,
        switcher=request.method in {"GET", "HEAD"},
        test_mode=False,
        merchant="",
        outcome=Outcome(tone="bad", sign="mark", heading=heading, text=text, link=link),
        poll=False,
        stay=True,
        onward=None,
    )
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = _RETRY_AFTER_SECONDS
    return response


def _back_to_payment(request: Request, site: str, _: Gettext) -> Link | None:
    """Return the link to the page of the payment that the address is about."""
    address = _PAYMENT.search(request.url.path)
    return Link(url=urlsplit(site).path.rstrip("/") + address[0], label=_("Back to the payment")) if address else None


def _texts(status: HTTPStatus, _: Gettext) -> tuple[str, str]:
    match status:
        case HTTPStatus.NOT_FOUND | HTTPStatus.METHOD_NOT_ALLOWED:
            return _("Page not found"), _("Check the address, or go back to the shop and follow its link again.")
        case HTTPStatus.UNAUTHORIZED:
            return (
                _("This shop's payment form doesn't work"),
                _("Its key is missing or no longer valid. No money was taken. Please let the shop know."),
            )
        case HTTPStatus.FORBIDDEN:
            return (
                _("This shop doesn't take payments through this form"),
                _("No money was taken. Go back to the shop and order there, or contact the shop."),
            )
        case HTTPStatus.CONFLICT:
            return (
                _("This order number is already in use"),
                _("The shop has used it for another order. No money was taken. Go back to the shop to order again."),
            )
        case HTTPStatus.TOO_MANY_REQUESTS:
            return (
                _("Too many attempts"),
                _("No money was taken this time. Wait a while and try again, or go back to the shop."),
            )
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return (
                _("Please wait a moment"),
                _("This page isn't available right now. Reload it: it shows whether you've paid."),
            )
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return _("We couldn't read this request"), _("Go back to the page that you came from and try again.")
        case _:
            return (
                _("Something went wrong on our side"),
                _("Before you pay again, reload the payment page: it shows whether you've paid."),
            )
