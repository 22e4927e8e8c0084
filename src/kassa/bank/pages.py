"""The bank's pages for people: plain HTML of its own that needs no script."""

from collections.abc import Mapping
from http import HTTPStatus
from importlib import resources
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kassa import money

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("kassa.bank"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["wallet"] = lambda code: code.replace("_", " ").title()
_templates.filters["money"] = lambda minor, currency: f"{money.to_decimal(minor, currency)} {currency}"


def page(name: str, values: Mapping[str, object], *, status: HTTPStatus = HTTPStatus.OK, form_to: str = "") -> Response:
    """Return a page. ``form_to`` is an address that a form may lead to after this server has answered it.

    A browser applies ``form-action`` to the redirects that follow a form too, so the way back has to be named.
    """
    form_action = " ".join(["'self'", *filter(None, [_origin(form_to)])])
    return Response(
        _templates.get_template(name).render(values),
        status,
        media_type="text/html",
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:;"
            f" form-action {form_action}; base-uri 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


def routes() -> list[BaseRoute]:
    """Return where the pages' style is."""
    return [Route("/bank.css", _style, methods=["GET"])]


async def _style(request: Request) -> Response:
    return Response(
        resources.files(__package__).joinpath("static/bank.css").read_bytes(),
        media_type="text/css",
        headers={"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"},
    )


def _origin(url: str) -> str:
    """Return an address's origin, or nothing where it could end the header's directive."""
    parts = urlsplit(url)
    return "" if not parts.netloc or set(parts.netloc) & set(" ;,'\"") else f"{parts.scheme}://{parts.netloc}"
