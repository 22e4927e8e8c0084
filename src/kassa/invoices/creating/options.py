"""``gateway_options.cardgate``: how the pages of one invoice look and the card page behaves (contract#card-gate).

- ``retry_limit``: how often the payer may try in all, 1 to 20; by default what the account says.
- ``bypass_status_page``: once the outcome is known, the payer goes straight on to the merchant's return address, where
  there is one, and sees no page of ours about it.
- ``theme``: ``light``, ``dark`` or ``auto`` (as the payer's device has it); any other name is kept and means ``auto``.
- ``theme_options.merchant_name``: who is paid, instead of the account's name.
- ``theme_options.primary``: the colour of button and links, ``#rgb`` or ``#rrggbb``; it is made darker or lighter where
  text could not be read with it.
- ``card_number_length``: the only number of digits that is taken, 12 to 19, or a list of such.
- ``tokenize``: false; cards are not stored here, so true is refused.

Members that are not listed are kept with the invoice and change nothing.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from kassa.errors import Message
from kassa.values import Value

ATTEMPTS_MAX: Final = 20
"""The most attempts that an invoice can ask for."""

NUMBER_LENGTHS: Final = range(12, 20)
"""How many digits card numbers have (ISO/IEC 7812-1)."""

Theme = Literal["light", "dark", "auto"]

_NAME_MAX: Final = 255
_PREFIX: Final = "gateway_options.cardgate"
_COLOUR: Final = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE | re.ASCII)
_FLAG: Final = Message("This value should be of type boolean.")
_TEXT: Final = Message("This value should be of type string.")
_MAP: Final = Message("This value should be an object.")


class CardGate(Value, frozen=True, kw_only=True):
    """The options, read."""

    retry_limit: int | None = None
    bypass_status_page: bool = False
    theme: Theme = "auto"
    merchant_name: str | None = None
    primary: str | None = None
    """Six hexadecimal digits in lower case."""
    number_lengths: tuple[int, ...] = ()
    """In order; empty where every length will do."""


def check(gateway_options: Mapping[str, Any] | None, errors: dict[str, str]) -> CardGate:
    """Return the options that were asked for; what is wrong with them is added to ``errors`` by dotted name."""
    given = _members((gateway_options or {}).get("cardgate"), _PREFIX, errors)
    style = _members(given.get("theme_options"), f"{_PREFIX}.theme_options", errors)
    if given.get("tokenize") not in (None, False):
        message = Message("Cards are not stored here.") if given["tokenize"] is True else _FLAG
        errors[f"{_PREFIX}.tokenize"] = message
    bypass = given.get("bypass_status_page")
    if bypass is not None and not isinstance(bypass, bool):
        errors[f"{_PREFIX}.bypass_status_page"] = _FLAG
    return CardGate(
        retry_limit=_retry_limit(given.get("retry_limit"), errors),
        bypass_status_page=bypass is True,
        theme=_theme(given.get("theme"), errors),
        merchant_name=_name(style.get("merchant_name"), errors),
        primary=_primary(style.get("primary"), errors),
        number_lengths=_lengths(given.get("card_number_length"), errors),
    )


def options(stored: str | None) -> CardGate:
    """Return the options of an invoice, from the JSON that was kept: whatever is wrong with it counts as not given."""
    if stored is None:
        return CardGate()
    decoded = msgspec.json.decode(stored)
    return check(decoded if isinstance(decoded, dict) else {}, {})


def _members(value: object, name: str, errors: dict[str, str]) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    if value is not None and value != []:  # PHP clients write an empty map so.
        errors[name] = _MAP
    return {}


def _retry_limit(value: object, errors: dict[str, str]) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= ATTEMPTS_MAX:
        return value
    message = Message("This value should be a whole number from %(least)s to %(most)s.", least=1, most=ATTEMPTS_MAX)
    errors[f"{_PREFIX}.retry_limit"] = message
    return None


def _theme(value: object, errors: dict[str, str]) -> Theme:
    match value:
        case "light" | "dark":
            return value
        case None | str():
            return "auto"
        case _:
            errors[f"{_PREFIX}.theme"] = _TEXT
            return "auto"


def _name(value: object, errors: dict[str, str]) -> str | None:
    name = f"{_PREFIX}.theme_options.merchant_name"
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        errors[name] = _TEXT
    elif len(value) > _NAME_MAX:
        errors[name] = Message("This value is too long. It should have %(most)s characters or less.", most=_NAME_MAX)
    else:
        return value
    return None


def _primary(value: object, errors: dict[str, str]) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _COLOUR.fullmatch(value):
        message = Message("This value should be a colour such as %(example)s.", example="#4338ca")
        errors[f"{_PREFIX}.theme_options.primary"] = message
        return None
    digits = value[1:].lower()
    return digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)  # noqa: PLR2004 - two a part


def _lengths(value: object, errors: dict[str, str]) -> tuple[int, ...]:
    if value is None or value == []:
        return ()
    wanted = value if isinstance(value, list) else [value]
    if all(isinstance(each, int) and not isinstance(each, bool) and each in NUMBER_LENGTHS for each in wanted):
        return tuple(sorted(set(wanted)))
    least, most = NUMBER_LENGTHS[0], NUMBER_LENGTHS[-1]
    message = Message("This value should be a whole number from %(least)s to %(most)s.", least=least, most=most)
    errors[f"{_PREFIX}.card_number_length"] = message
    return ()
