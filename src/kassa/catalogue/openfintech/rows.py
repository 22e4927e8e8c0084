"""Converting OpenFintech's rows: names in our languages, patterns that run, limits that can be paid. Pure."""

import math
from collections.abc import Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from kassa import money
from kassa.catalogue.model import Currency, Field, Method, Service, icon_path, logo_path
from kassa.catalogue.openfintech.files import CurrencyRow, FieldRow, MethodRow, Refusal, ServiceRow
from kassa.catalogue.openfintech.patterns import PatternDropped, cleaned
from kassa.errors import UnknownCurrency

LANGUAGES: Final = ("en", "ru", "uk")
ACTIVE: Final = "active"

_DIGITS_MAX: Final = 30


class RowRefused(ValueError):
    """The row cannot be imported."""


def currency(row: CurrencyRow, known: Mapping[str, int]) -> Currency:
    """Return a currency; ``known`` are the exponents that the catalogue has. Raises ``RowRefused``."""
    if row.exponent != known.get(row.code, row.exponent):
        raise RowRefused(
            f"it is counted with {known[row.code]} decimals here, and that cannot become {row.exponent} any more"
        )
    return Currency(code=row.code, exponent=row.exponent, name=_names(row.name), type=row.type)


def method(row: MethodRow) -> Method:
    """Return a method; one that OpenFintech calls deprecated is hidden from payers. Raises ``RowRefused``."""
    return Method(
        code=row.code,
        category=row.category,
        description=row.description.get("en", ""),
        name=_names(row.name),
        logo=logo_path(row.code),
        icon=icon_path(row.code),
        hide=None if row.status == ACTIVE else True,
    )


def service(
    row: ServiceRow, methods: Collection[str], known: Mapping[str, tuple[str, str, str]], dropped: list[Refusal]
) -> Service:
    """Return a service; ``known`` are those that the catalogue has, by method, flow and currency.

    Patterns that are left out are added to ``dropped``; their fields take any text. Raises ``RowRefused``.
    """
    _refuse(row, methods, known)
    amount_min, amount_max = _limits(row)
    return Service(
        code=row.code,
        method=row.method,
        flow=row.flow,
        currency=row.currency,
        fields=tuple(_field(each, row.code, dropped) for each in row.fields),
        amount_min=amount_min,
        amount_max=amount_max,
    )


def _refuse(row: ServiceRow, methods: Collection[str], known: Mapping[str, tuple[str, str, str]]) -> None:
    if row.status != ACTIVE:
        raise RowRefused(f"its status is {row.status[:20]!r}")
    if row.method not in methods:
        raise RowRefused(f"there is no method {row.method}")
    keys = [each.key for each in row.fields]
    if len(set(keys)) < len(keys):
        raise RowRefused("two of its fields have the same key")
    try:
        money.exponent(row.currency)
    except UnknownCurrency:
        raise RowRefused(f"the number of decimals of {row.currency} is unknown") from None
    kind = (row.method, row.flow, row.currency)
    if known.get(row.code, kind) != kind:
        # Accounts' limits and fees are kept in the currency's minor units.
        raise RowRefused(f"it is {', '.join(known[row.code])} here, and that cannot become {', '.join(kind)} any more")


def _limits(row: ServiceRow) -> tuple[int, int]:
    """Return the least and the most that can be paid: limits finer than the currency mean the next amount inside."""
    factor = 10 ** money.exponent(row.currency)
    amount_min = math.ceil(_exact(row.amount_min) * factor)
    amount_max = min(math.floor(_exact(row.amount_max) * factor), money.AMOUNT_MAX - 1)
    if not 0 <= amount_min <= amount_max or not amount_max:
        raise RowRefused(f"nothing lies between its limits, {row.amount_min} and {row.amount_max}")
    return amount_min, amount_max


def _exact(amount: Decimal) -> Fraction:
    # Bounded first: a number of a few characters can have more digits than there is memory.
    if not amount.is_finite() or amount.adjusted() > _DIGITS_MAX or int(amount.as_tuple().exponent) < -_DIGITS_MAX:
        raise RowRefused("its limits are no amounts")
    return Fraction(amount)


def _field(row: FieldRow, service_code: str, dropped: list[Refusal]) -> Field:
    try:
        regexp = cleaned(row.regexp)
    except PatternDropped as error:
        dropped.append(Refusal(name=f"service {service_code}, field {row.key}", reason=f"{row.regexp}: {error}"))
        regexp = ""
    return Field(
        key=row.key,
        type=row.type,
        label=_texts(row.label),
        example=row.example or None,
        hint=_texts(row.hint),
        regexp=regexp,
        required=row.required,
        position=row.position,
    )


def _names(texts: Mapping[str, str]) -> dict[str, str]:
    """Return a name in each of our languages: English, else any, replaces one that is missing."""
    named = _texts(texts)
    if not named["en"]:
        raise RowRefused("it has no name")
    return named


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    given = {language: text.strip() for language, text in texts.items() if text.strip()}
    fallback = given.get("en") or next(iter(given.values()), "")
    return {language: given.get(language, fallback) for language in LANGUAGES}
