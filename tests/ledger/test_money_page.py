"""docs/money.md shows the recipes as they are."""

import re
from decimal import Decimal

from kassa import money
from kassa.fees.model import Tariff, parts
from tests.support.money_page import AFTER, CONVERTED, EXAMPLES, PAGE, known, page

TARIFF = Tariff(fee_rate=Decimal("2.5"), fee_fix=30)


def test_the_page_is_what_the_code_makes_of_it() -> None:
    present = PAGE.read_text()
    assert page(present) == present, "Run: python -m tests.support.money_page"


def test_every_recipe_has_an_example() -> None:
    assert set(EXAMPLES) == set(known())
    assert set(CONVERTED) <= set(EXAMPLES)
    assert set(AFTER) | set(AFTER.values()) <= set(EXAMPLES)


def test_the_pages_fees_are_the_codes() -> None:
    rows = re.findall(r"`payer_pays_fee=(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", PAGE.read_text())
    made = [(payer_pays, parts(10_000, TARIFF, payer_pays=payer_pays == "true")) for payer_pays in ("false", "true")]
    assert rows == [
        (payer_pays, *(money.to_fixed(minor, "USD") for minor in (found.payment_amount, found.fee, found.deposit)))
        for payer_pays, found in made
    ]
