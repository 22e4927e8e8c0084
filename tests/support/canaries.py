"""Card numbers let loose to be found again: in whatever form a program may have put them down (P10)."""

import base64
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final
from urllib.parse import quote_plus

from kassa.cardgate.brands import grouped

_DIGESTS: Final = ("md5", "sha1", "sha256", "sha512")
_DEFLATED: Final = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_GZIP: Final = 0x1F
_ROUGH: Final = (re.compile(rb"[0-9][0-9 .\0-]{11,}"), re.compile(rb"[0-9]{3}-canary-[0-9a-f]+"))


def forms(text: str) -> dict[str, bytes]:
    """Return a number, or another secret of some length, in each form that it is looked for in."""
    plain = text.encode()
    spaced = grouped(text) if text.isdigit() else text
    found = {
        "raw": plain,
        "spaced": spaced.encode(),
        "dashed": spaced.replace(" ", "-").encode(),
        "dotted": spaced.replace(" ", ".").encode(),
        "in a URL": quote_plus(spaced).encode(),
        "in a URL with %20": spaced.replace(" ", "%20").encode(),
        "all escaped in a URL": "".join(f"%{ord(each):02x}" for each in text).encode(),
        "hexadecimal": plain.hex().encode(),
        "HEXADECIMAL": plain.hex().upper().encode(),
        "JSON escaped": "".join(f"\\u{ord(each):04x}" for each in text).encode(),
        "HTML escaped": "".join(f"&#{ord(each)};" for each in text).encode(),
        "comma by comma": ", ".join(text).encode(),
        "reversed": text[::-1].encode(),
        "UTF-16": text.encode("utf-16-le"),
        "UTF-16 the other way": text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32-le"),
        **{f"base64 at {offset}": _base64(plain, offset) for offset in range(3)},
        "base32": base64.b32encode(plain).rstrip(b"=")[:-1],
    }
    if text.isdigit():
        even = text if len(text) % 2 == 0 else f"{text}f"
        found |= {"packed": bytes.fromhex(even), "first twelve": plain[:12], "last twelve": plain[-12:]}
    for name in _DIGESTS:
        # Of a number a digest without a key is as good as the number: there are not enough of them.
        digest = hashlib.new(name, plain).digest()
        found |= {name: digest.hex().encode(), f"{name} in base64": base64.b64encode(digest).rstrip(b"=")}
    assert all(len(form) >= 8 for form in found.values())
    return found


def _base64(plain: bytes, offset: int) -> bytes:
    """Return the part of base64 that is the same whatever stands before and after."""
    shifted = b"\0" * offset + plain
    start = (offset * 8 + 5) // 6
    return base64.b64encode(shifted)[start : len(shifted) * 8 // 6]


def found(data: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Return where the secrets came from that are in the data, with the form that they are in; never the secret."""
    layers = [data, *_inflated(data)]
    return [
        f"{name}, {form}"
        for name, secret in secrets.items()
        for form, wanted in _forms(secret).items()
        if any(wanted in layer for layer in layers)
    ]


def rough(data: bytes) -> bytes:
    """Return what there is in much data that may be a number or a code in plain text, packed tightly."""
    return b"\n".join(part for shape in _ROUGH for part in shape.findall(data))


_forms = cache(forms)


def _inflated(data: bytes) -> Iterator[bytes]:
    for match in _DEFLATED.finditer(data):
        rest = data[match.start() :]
        try:
            yield gzip.decompress(rest) if rest[0] == _GZIP else zlib.decompressobj().decompress(rest)
        except (OSError, EOFError, zlib.error):
            continue


def code_found(text: str, code: str) -> bool:
    """Tell whether a security code is in a text by a name of its own: three digits alone are anywhere."""
    named = rf"(?:cvv2?|cvc2?|csc|cvn|cid|security.?code|code)[\"'\\]*\s*[=:>,(\[]+\s*[\"'\\]*{code}(?![0-9])"
    return re.search(named, text, re.IGNORECASE) is not None
