"""A merchant's own colour on a page, as a small style sheet in which text stays readable.

The pages' policy allows no inline style, so a colour is a file whose name is the colour: six hexadecimal digits and
nothing else, which leaves nothing to inject. WCAG 2.2 requires a contrast of 4.5 for text (1.4.3).
"""

import re
from functools import lru_cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ROOT: Final = "/static/accent/"

_CONTRAST: Final = 4.5
_STEPS: Final = 32
_HEADERS: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}

Colour = tuple[int, int, int]

_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_LIGHT_GROUND: Final = (0xF3, 0xF4, 0xF7)
_DARK_GROUND: Final = (0x16, 0x1A, 0x22)
_DARK_INK: Final = (0x12, 0x13, 0x1C)


def path(colour: str) -> str:
    """Return the address of a colour's style sheet; ``colour`` is six hexadecimal digits in lower case."""
    return f"{ROOT}{colour}.css"


def route() -> Route:
    """Return the route that serves every colour's style sheet."""

    async def serve(request: Request) -> Response:
        colour = request.path_params["colour"]
        if not re.fullmatch(r"[0-9a-f]{6}", colour, re.ASCII):
            return Response(status_code=404)
        return Response(style_sheet(colour), media_type="text/css", headers=_HEADERS)

    return Route(f"{ROOT}{{colour}}.css", serve, methods=["GET"], name="accent")


@lru_cache(maxsize=1024)
def style_sheet(colour: str) -> str:
    """Return the rules that put a colour in place of the pages' own, darker on light pages and lighter on dark ones."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (0, 2, 4))
    light = _rules(_readable((red, green, blue), on=_LIGHT_GROUND, towards=_BLACK), _WHITE, towards=_BLACK)
    dark = _rules(_readable((red, green, blue), on=_DARK_GROUND, towards=_WHITE), _DARK_INK, towards=_WHITE)
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root:not(.light){{{dark}}}}}:root.dark{{{dark}}}"


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _rules(main: Colour, ink: Colour, *, towards: Colour) -> str:
    over = _mixed(main, towards, 6)
    return f"--main:{_written(main)};--main-over:{_written(over)};--on-main:{_written(ink)}"


def _readable(colour: Colour, *, on: Colour, towards: Colour) -> Colour:
    """Return the colour itself, or the nearest on its way to black or white that text can have on this ground."""
    steps = (_mixed(colour, towards, step) for step in range(_STEPS + 1))
    return next(mixed for mixed in steps if contrast(mixed, on) >= _CONTRAST)


def _mixed(colour: Colour, other: Colour, step: int) -> Colour:
    red, green, blue = (one + (two - one) * step // _STEPS for one, two in zip(colour, other, strict=True))
    return red, green, blue


def _written(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - sRGB's own
