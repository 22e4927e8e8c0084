"""The texts of the card form, hints and faults, for the server and the page's script alike."""

from collections.abc import Collection
from gettext import GNUTranslations

from kassa.cardgate.brands import Brand
from kassa.cardgate.form import Fault, Field

BRAND_PLACE = "{brand}"
CODE_PLACE = "{code}"
"""Placeholders for a brand's name and its name for the security code, filled in here or by the page's script."""


def texts(catalog: GNUTranslations, lengths: Collection[int] = ()) -> dict[str, dict[str, str]]:
    """Return every text of the form, by field and fault; ``_3`` and ``_4`` are for codes of that length.

    ``lengths`` are the numbers of digits that the merchant takes, in order; empty for all.
    """
    _ = catalog.gettext
    return {
        Field.NUMBER: {
            Fault.MISSING: _("Enter the card number."),
            Fault.WRONG: _("Check the card number: a digit is missing or wrong."),
            Fault.UNACCEPTED: _("%(brand)s cards aren't accepted here. Try another card.") % {"brand": BRAND_PLACE},
            Fault.LENGTH: _("Only card numbers with %(count)s digits are accepted here. Try another card.")
            % {"count": ", ".join(str(length) for length in lengths)},
        },
        Field.EXPIRY: {
            Fault.MISSING: _("Enter the expiry date."),
            Fault.WRONG: _("Enter the month and the year from the card, like 05/29."),
            Fault.MONTH: _("Check the month: it should be from 01 to 12."),
            Fault.PAST: _("This card has expired. Try another card."),
            Fault.FAR: _("Check the year of the expiry date."),
        },
        Field.CODE: {
            Fault.MISSING: _("Enter the security code."),
            f"{Fault.WRONG}_3": _("The security code has 3 digits."),
            f"{Fault.WRONG}_4": _("The security code has 4 digits."),
            "hint_3": _("%(code)s on the back") % {"code": CODE_PLACE},
            "hint_4": _("%(code)s on the front") % {"code": CODE_PLACE},
        },
        "left": {"300": _("5 minutes left to pay."), "60": _("1 minute left to pay.")},
    }


def messages(
    faults: dict[Field, Fault], brand: Brand | None, catalog: GNUTranslations, lengths: Collection[int] = ()
) -> dict[str, str]:
    """Return what is wrong with each field, in order."""
    every = texts(catalog, lengths)
    length = brand.code_length if brand else 3
    found: dict[str, str] = {}
    for field, fault in faults.items():
        known = every[field]
        text = known[fault] if fault in known else known[f"{fault}_{length}"]
        found[field] = text.replace(BRAND_PLACE, brand.name if brand else "")
    return found
