"""Rules read from the text that an operator writes them in. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec
from babel import Locale

from kassa import money
from kassa.errors import AmountRefused, Invalid, UnknownCurrency
from kassa.moderation.model import AmountRule, CountryRule, Rule, Subject, Terms, VelocityRule

MINUTES_MAX: Final = 31 * 24 * 60
"""A velocity rule looks back a month at most."""
MORE_THAN_MAX: Final = 1000

_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_COUNTRIES: Final = frozenset(code for code in Locale.parse("en").territories if re.fullmatch("[A-Z]{2}", str(code)))

MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "amount": ("currency", "at_least"),
    "country": ("countries",),
    "velocity": ("by", "count", "more_than", "minutes"),
}
"""What each kind of rule is given."""


def read(kind: str, texts: Mapping[str, str]) -> Terms:
    """Return the rule of a kind that texts describe.

    Raises ``Invalid`` naming each member that is missing, that is another kind's, or that cannot be.
    """
    if kind not in MEMBERS:
        raise Invalid({"kind": f"This value should be one of {', '.join(MEMBERS)}."})
    members = MEMBERS[kind]
    errors = {name: f"This does not belong to {kind}." for name in texts if name not in members}
    errors |= {name: "This value should not be blank." for name in members if not texts.get(name, "").strip()}
    if errors:
        raise Invalid(errors)
    given = {name: texts[name].strip() for name in members}
    return _READERS[kind](given)


def members(rule: Rule) -> dict[str, object]:
    """Return a rule's kind and members as ``read`` takes them: an amount is a decimal of its currency."""
    found: dict[str, object] = msgspec.to_builtins(rule.terms)
    if isinstance(rule.terms, AmountRule):
        found["at_least"] = money.to_text(rule.terms.at_least, rule.terms.currency)
    return found


def _amount(given: Mapping[str, str]) -> Terms:
    currency = given["currency"].upper()
    try:
        money.exponent(currency)
    except UnknownCurrency:
        raise Invalid({"currency": "This value is not a valid currency."}) from None
    if not _NUMBER.fullmatch(given["at_least"]):
        raise Invalid({"at_least": "This value should be a number."})
    try:
        return AmountRule(currency=currency, at_least=money.to_minor(Decimal(given["at_least"]), currency))
    except AmountRefused as error:
        raise Invalid({"at_least": error.detail}) from None


def _country(given: Mapping[str, str]) -> Terms:
    codes = tuple(dict.fromkeys(word.strip().upper() for word in given["countries"].split(",") if word.strip()))
    unknown = [code for code in codes if code not in _COUNTRIES]
    if unknown or not codes:
        raise Invalid({"countries": "This value should be ISO 3166 codes such as US,GB, separated by commas."})
    return CountryRule(countries=codes)


def _velocity(given: Mapping[str, str]) -> Terms:
    errors: dict[str, str] = {}
    if given["by"] not in set(Subject):
        errors["by"] = f"This value should be one of {', '.join(Subject)}."
    if given["count"] not in ("attempts", "successes"):
        errors["count"] = "This value should be attempts or successes."
    for name, most in (("more_than", MORE_THAN_MAX), ("minutes", MINUTES_MAX)):
        if not re.fullmatch("[0-9]{1,9}", given[name], re.ASCII) or not 1 <= int(given[name]) <= most:
            errors[name] = f"This value should be a whole number from 1 to {most}."
    if errors:
        raise Invalid(errors)
    return VelocityRule(
        by=Subject(given["by"]),
        count="attempts" if given["count"] == "attempts" else "successes",
        more_than=int(given["more_than"]),
        minutes=int(given["minutes"]),
    )


_READERS: Final[Mapping[str, Callable[[Mapping[str, str]], Terms]]] = {
    "amount": _amount,
    "country": _country,
    "velocity": _velocity,
}
