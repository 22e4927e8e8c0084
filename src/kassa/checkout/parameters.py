"""Parameters of links and forms with names in brackets of any depth, as PHP and ``qs`` write them.

See contract#formats, contract#links.
"""

from collections.abc import Collection
from typing import Any, Final
from urllib.parse import parse_qsl

from qs_codec import DecodeOptions, decode

from kassa.errors import BadRequest, Message
from kassa.jsonapi.body import DEPTH_MAX, unfit

PARAMETERS_MAX: Final = 500
_OPTIONS: Final = DecodeOptions(depth=DEPTH_MAX, parameter_limit=PARAMETERS_MAX, parse_lists=False)


def read(encoded: bytes, errors: dict[str, str], *, known: Collection[str]) -> dict[str, Any]:
    """Return the members of an urlencoded text, nested by their brackets.

    Empty values are absent. A ``known`` member, or a part of one, is added to ``errors`` where it is given twice or has
    characters that no row or page should hold. Raises ``BadRequest`` for text that is not urlencoded, has too many
    parameters or is nested too deeply.
    """
    try:
        pairs = parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError:
        raise BadRequest from None
    given: dict[str, str] = {}
    for sent, value in pairs:
        name = _numbered(sent, given)
        if name.count("[") > DEPTH_MAX:
            raise BadRequest
        if not value:
            continue
        if name in given and root(name) in known:
            errors[name.replace("[", ".").replace("]", "")] = Message("This value is given more than once.")
        given[name] = value
    nested = decode(given, _OPTIONS)
    data = {name: _maps(value) for name, value in nested.items()}
    errors.update((name, message) for name, message in unfit(data) if name.partition(".")[0] in known)
    return data


def root(name: str) -> str:
    """Return the member that a parameter belongs to: ``customer`` for ``customer[address][city]``."""
    return name.partition("[")[0]


def _numbered(name: str, given: Collection[str]) -> str:
    """Return a name with the next number in its empty brackets at the end."""
    if not name.endswith("[]"):
        return name
    stem = name.removesuffix("[]")
    return next(numbered for place in range(PARAMETERS_MAX + 1) if (numbered := f"{stem}[{place}]") not in given)


def _maps(value: object) -> object:
    """Return a member; inside it, maps whose keys count from 0 become lists, as PHP writes JSON."""
    return {name: _listed(child) for name, child in value.items()} if isinstance(value, dict) else value


def _listed(value: object) -> object:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(child) for name, child in value.items()}
    return list(inner.values()) if list(inner) == [str(place) for place in range(len(inner))] else inner
