"""What a rule says of a payment that was just taken, and what is kept of a decision. Pure.

A rule never refuses a payment. It hands it to a person: the money is taken and held, and nothing is processed before
somebody approves it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from kassa import money
from kassa.values import Value


class Subject(StrEnum):
    """Whose payments a velocity rule counts."""

    CARD = "card"
    CUSTOMER = "customer"
    CLIENT_IP = "client_ip"


class AmountRule(Value, frozen=True, kw_only=True, tag="amount", tag_field="kind"):
    """Holds what is large in one of the currencies that it is counted in."""

    currency: str
    at_least: int
    """Minor units; a payment of just this is held."""


class CountryRule(Value, frozen=True, kw_only=True, tag="country", tag_field="kind"):
    """Holds what comes from a country: that of the card's issuer, or of the customer's address."""

    countries: tuple[str, ...]
    """ISO 3166 codes of two capital letters."""


class VelocityRule(Value, frozen=True, kw_only=True, tag="velocity", tag_field="kind"):
    """Holds what comes too often."""

    by: Subject
    count: Literal["attempts", "successes"]
    """Attempts are all of them, declined ones too; successes are those that took money."""
    more_than: int
    """So many in the time before pass, the one that is looked at included; the next is held."""
    minutes: int

    @property
    def window(self) -> timedelta:
        """How far back is counted."""
        return timedelta(minutes=self.minutes)


Terms = AmountRule | CountryRule | VelocityRule


class Rule(Value, frozen=True, kw_only=True):
    """One rule of an account; it holds in both modes."""

    rule_id: str
    terms: Terms


class Success(Value, frozen=True, kw_only=True):
    """A payment whose money was just taken, as far as rules look at it."""

    account_id: str
    test_mode: bool
    invoice_id: str
    payment_id: str
    amounts: Mapping[str, int]
    """What was taken, in minor units, by currency: a conversion's in the provider's and in the invoice's."""
    countries: tuple[str, ...] = ()
    card: bytes | None = None
    """The card's fingerprint."""
    customer_id: str | None = None
    client_ip: str | None = None

    def subject(self, by: Subject) -> bytes | str | None:
        """Return whose payment it is, or None where that is not known."""
        match by:
            case Subject.CARD:
                return self.card
            case Subject.CUSTOMER:
                return self.customer_id
            case Subject.CLIENT_IP:
                return self.client_ip


class Hold(Value, frozen=True, kw_only=True):
    """Why a payment waits for a person."""

    resolution: str
    """The resolution (contract#resolutions): that of the first rule that holds it."""
    rule_ids: tuple[str, ...]
    reason: str
    """Every rule that holds it, in words for the person."""


class Verdict(StrEnum):
    """What was decided on a payment."""

    HELD = "held"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    """Money that the provider would not send back is to go back once more."""
    SETTLED = "settled"
    """What was wrong has been put right elsewhere; nothing waits for a person any more."""


class Decision(Value, frozen=True, kw_only=True):
    """Who decided what, when, and why: never changed."""

    decision_id: str
    invoice_id: str
    payment_id: str
    verdict: Verdict
    decided_by: str
    """``api``, the operator's name behind ``operator``, or the rules that held it."""
    note: str | None
    decided_at: datetime


def verdict(rules: Sequence[Rule], success: Success, others: Mapping[str, int]) -> Hold | None:
    """Return why a payment is held, or None where it passes.

    ``others`` says for each velocity rule how many payments of the same subject there were in its time before.
    """
    caught = [rule for rule in rules if _catches(rule, success, others)]
    if not caught:
        return None
    return Hold(
        resolution=resolution(caught[0].terms),
        rule_ids=tuple(rule.rule_id for rule in caught),
        reason="; ".join(words(rule.terms) for rule in caught),
    )


def _catches(rule: Rule, success: Success, others: Mapping[str, int]) -> bool:
    match rule.terms:
        case AmountRule(currency=currency, at_least=at_least):
            return currency in success.amounts and success.amounts[currency] >= at_least
        case CountryRule(countries=countries):
            return any(country.strip().upper() in countries for country in success.countries)
        case VelocityRule(more_than=more_than):
            return others.get(rule.rule_id, 0) >= more_than


def resolution(terms: Terms) -> str:
    """Return what a rule calls the reason of a hold."""
    return "antifraud_error" if isinstance(terms, CountryRule) else "limit_violation"


def words(terms: Terms) -> str:
    """Return a rule as people read it."""
    match terms:
        case AmountRule():
            return f"{money.to_fixed(terms.at_least, terms.currency)} {terms.currency} or more"
        case CountryRule():
            return f"from {', '.join(terms.countries)}"
        case VelocityRule():
            return f"more than {terms.more_than} {terms.count} by {terms.by} in {terms.minutes} minutes"
