"""Pictures for methods that we have none of."""

import re
from xml.etree import ElementTree as ET

import pytest

from kassa.catalogue import drawing
from kassa.catalogue.model import Method, icon_path, logo_path


def method(name: str, code: str = "teapay") -> Method:
    return Method(code=code, category="digital_wallet", name={"en": name}, logo=logo_path(code), icon=icon_path(code))


def texts(svg: bytes) -> list[str | None]:
    return [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 - ours


@pytest.mark.parametrize(
    "name,initials",
    [("Tea Pay", "TP"), ("BPAY", "BP"), ("7-Eleven", "7E"), ("Старый банк", "СБ"), ("x", "X"), ("«»", "?")],
)
def test_a_badge_has_the_methods_initials(name: str, initials: str) -> None:
    assert texts(drawing.icon(method(name))) == [initials]
    assert texts(drawing.logo(method(name))) == [initials, name]


def test_a_name_cannot_break_out_of_its_picture() -> None:
    name = """</text><script>alert("1")</script>' &"""
    for svg in (drawing.icon(method(name)), drawing.logo(method(name))):
        assert set(re.findall(rb"<([^\s/>]+)", svg)) <= {b"svg", b"g", b"rect", b"text"}
        assert ET.fromstring(svg).get("aria-label") == name  # noqa: S314 - ours


def test_a_long_name_is_cut_to_what_fits() -> None:
    assert texts(drawing.logo(method("The Honourable Company of Tea Merchants")))[1] == "The Honourable Comp…"


def test_a_method_always_looks_the_same_and_two_mostly_differ() -> None:
    first, second = method("Tea Pay"), method("Tea Pay", code="other")
    assert drawing.logo(first) == drawing.logo(first)
    assert drawing.logo(first) != drawing.logo(second)
