"""Languages: which one a payer gets, and its texts, from the ``.po`` files beside this module.

A new language is a new folder with the files ``FILES`` in it; nothing else has to change.
"""

import re
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

import msgspec
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from kassa.errors import Message

FOLDER = Path(__file__).parent / "locales"
FILES = ("kassa.po", "demo.po")
"""A language's texts: of the payers' pages, and of the demo. Where both have one, the first file's counts."""
DEFAULT = "en"
COOKIE = "kassa_locale"
PARAMETERS = ("locale", "lang", "language")
"""Query parameters that choose a language (contract#links); the first one wins."""

_ALIASES = {"ua": "uk"}
_RANGE = re.compile(r"\s*([A-Za-z*]{1,8})[A-Za-z0-9-]*\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")
_RANGES_MAX = 20


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """One language of the pages."""

    code: str
    name: str
    """In the language itself."""
    direction: str
    """``ltr`` or ``rtl``."""


@cache
def languages() -> dict[str, Language]:
    """Return the languages that have texts, by code, ordered by code."""
    found = sorted(path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/kassa.po"))
    return {code: _language(code) for code in found}


@cache
def translations(code: str) -> GNUTranslations:
    """Return the texts of a language; what it has no text for stays English."""
    catalog = Catalog(locale=code)
    for name in FILES:
        with (FOLDER / code / "LC_MESSAGES" / name).open("rb") as file:
            for message in read_po(file, locale=code):
                catalog[message.id] = message
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)


def translated(text: str, code: str) -> str:
    """Return a ``Message`` in a language; other text stays as it is."""
    if not isinstance(text, Message):
        return text
    template = translations(code).gettext(text.template)
    return template % text.values if text.values else template


def known(tag: str | None) -> str | None:
    """Return the language that a tag such as ``ru``, ``uk-UA`` or ``en_EN`` means, or None if there is none."""
    primary = re.split(r"[-_]", tag or "", maxsplit=1)[0].lower()
    code = _ALIASES.get(primary, primary)
    return code if code in languages() else None


def choose(*, wanted: str | None, cookie: str | None, invoice: str | None, accepted: str | None) -> str:
    """Return the first known language, of the address (``wanted``), cookie, invoice or browser; else English."""
    return known(wanted) or known(cookie) or known(invoice) or _accepted(accepted) or DEFAULT


def _accepted(header: str | None) -> str | None:
    """Return the best language of an ``Accept-Language`` (RFC 9110 §12.5.4)."""
    weighed: list[tuple[float, int, str]] = []
    for position, part in enumerate((header or "").split(",")[:_RANGES_MAX]):
        match = _RANGE.fullmatch(part)
        code = known(match[1]) if match else None
        weight = float(match[2]) if match and match[2] else 1.0
        if code and weight > 0:
            weighed.append((-weight, position, code))
    return min(weighed)[2] if weighed else None


def _language(code: str) -> Language:
    locale = Locale.parse(code)
    name = locale.get_display_name(code) or code
    return Language(code=code, name=name[:1].upper() + name[1:], direction=locale.text_direction)
