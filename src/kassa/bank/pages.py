"""The bank's pages: plain HTML of its own that needs no script."""

from collections.abc import Mapping
from http import HTTPStatus
from importlib import resources
from urllib.parse import urlsplit

import jinja2
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kassa import formats
from kassa.bank import texts

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("kassa.bank"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["wallet"] = texts.wallet
_templates.filters["money"] = formats.money
_templates.filters["moment"] = formats.moment


def page(
    name: str,
    values: Mapping[str, object],
    *,
    status: HTTPStatus = HTTPStatus.OK,
    form_to: str = "",
    language: str = texts.DEFAULT,
) -> Response:
    """Return a page. ``form_to`` is an address that a form may lead to after this server has answered it.

    A browser applies ``form-action`` to the redirects that follow a form too, so the return address has to be named.
    """
    form_action = " ".join(["'self'", *filter(None, [_origin(form_to)])])
    return Response(
        _templates.get_template(name).render({**values, "language": language, "texts": texts.LANGUAGES[language]}),
        status,
        media_type="text/html",
        headers={
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:;"
            f" form-action {form_action}; base-uri 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Content-Language": language,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


def routes() -> list[BaseRoute]:
    """Return the routes of the pages' style and script."""
    return [_static("bank.css", "text/css"), _static("bank.js", "text/javascript")]


def _static(name: str, media_type: str) -> Route:
    content = resources.files(__package__).joinpath(f"static/{name}").read_bytes()
    headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}

    async def serve(_: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return Route(f"/{name}", serve, methods=["GET"], middleware=[Middleware(GZipMiddleware)])


def _origin(url: str) -> str:
    """Return an address's origin, or nothing where it could end the header's directive."""
    parts = urlsplit(url)
    return "" if not parts.netloc or set(parts.netloc) & set(" ;,'\"") else f"{parts.scheme}://{parts.netloc}"
