"""Every statement over rules and decisions, and those that count payments and find invoices for them."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from kassa.db.pool import Executor
from kassa.moderation.model import Decision, Rule, Subject, Success, Terms, VelocityRule, Verdict
from kassa.values import Value

INVOICE_LIFETIME_MAX: Final = timedelta(days=2)
"""No payment is begun longer than this after its invoice's creation."""

_terms: Final = msgspec.json.Decoder(Terms)

# Rules ----------------------------------------------------------------------------------------------------------------

_RULES: Final = "SELECT rule_id, terms FROM moderation_rules WHERE account_id = $1 ORDER BY created_at, rule_id"


async def rules(executor: Executor, *, account_id: str) -> tuple[Rule, ...]:
    """Return an account's rules, oldest first."""
    records = await executor.fetch(_RULES, account_id)
    return tuple(Rule(rule_id=record["rule_id"], terms=_terms.decode(record["terms"])) for record in records)


_INSERT_RULE: Final = "INSERT INTO moderation_rules (account_id, rule_id, terms, created_at) VALUES ($1, $2, $3, $4)"


async def insert_rule(executor: Executor, rule: Rule, *, account_id: str, now: datetime) -> None:
    """Add a rule. Raises ``asyncpg.ForeignKeyViolationError`` without such an account."""
    terms = msgspec.json.encode(rule.terms).decode()
    await executor.execute(_INSERT_RULE, account_id, rule.rule_id, terms, now)


_DELETE_RULE: Final = "DELETE FROM moderation_rules WHERE account_id = $1 AND rule_id = $2 RETURNING terms"


async def delete_rule(executor: Executor, rule_id: str, *, account_id: str) -> Rule | None:
    """Take a rule away and return it; None where there is none."""
    terms = await executor.fetchval(_DELETE_RULE, account_id, rule_id)
    return None if terms is None else Rule(rule_id=rule_id, terms=_terms.decode(terms))


# Velocity -------------------------------------------------------------------------------------------------------------

# Another payment of the same subject, begun in the time before; with $6, only one that has taken money. As many rows as
# decide it are read and no more.
_OTHERS: Final = "p.created_at > $4 AND p.payment_id <> $5 AND (NOT $6 OR p.processed_amount IS NOT NULL) LIMIT $7"
_OF_PAYMENT: Final = "SELECT 1 FROM payments p WHERE p.account_id = $1 AND p.test_mode = $2"
_OTHERS_OF_CARD: Final = f"SELECT count(*) FROM ({_OF_PAYMENT} AND p.card_fingerprint = $3 AND {_OTHERS}) AS others"
_OTHERS_OF_CLIENT_IP: Final = f"SELECT count(*) FROM ({_OF_PAYMENT} AND p.client_ip = $3 AND {_OTHERS}) AS others"
_OTHERS_OF_CUSTOMER: Final = f"""
SELECT count(*) FROM (
    SELECT 1 FROM invoices i JOIN payments p ON p.account_id = i.account_id AND p.invoice_id = i.invoice_id
    WHERE i.account_id = $1 AND i.test_mode = $2 AND i.customer_id = $3 AND i.created_at > $8 AND {_OTHERS}) AS others
"""
OTHERS: Final = {
    Subject.CARD: _OTHERS_OF_CARD,
    Subject.CUSTOMER: _OTHERS_OF_CUSTOMER,
    Subject.CLIENT_IP: _OTHERS_OF_CLIENT_IP,
}


def counted(terms: VelocityRule, success: Success, *, now: datetime) -> list[object]:
    """Return the values that a statement of ``OTHERS`` takes."""
    since = now - terms.window
    values: list[object] = [
        *(success.account_id, success.test_mode, success.subject(terms.by)),
        *(since, success.payment_id, terms.count == "successes", terms.more_than),
    ]
    return [*values, since - INVOICE_LIFETIME_MAX] if terms.by is Subject.CUSTOMER else values


async def others(connection: Executor, terms: VelocityRule, success: Success, *, now: datetime) -> int:
    """Return how many payments of the same subject there were beside this one; ``more_than`` at most are counted."""
    found: int = await connection.fetchval(OTHERS[terms.by], *counted(terms, success, now=now))
    return found


_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


async def lock(connection: Executor, subject: str) -> None:
    """Let one payment of a subject be counted at a time, until the transaction ends."""
    await connection.execute(_LOCK, subject)


# Decisions ------------------------------------------------------------------------------------------------------------

_DECISION: Final = ", ".join(Decision.__struct_fields__)
_IS_DECIDED: Final = "SELECT true FROM moderation_decisions WHERE account_id = $1 AND decision_id = $2"


async def is_decided(executor: Executor, decision_id: str, *, account_id: str) -> bool:
    """Return whether there is a decision of this id."""
    return await executor.fetchval(_IS_DECIDED, account_id, decision_id) is not None


_DECISIONS: Final = f"""
SELECT {_DECISION} FROM moderation_decisions WHERE account_id = $1 AND invoice_id = $2
ORDER BY decided_at, decision_id
"""


async def decisions(executor: Executor, invoice_id: str, *, account_id: str) -> list[Decision]:
    """Return what was decided on an invoice, oldest first."""
    records = await executor.fetch(_DECISIONS, account_id, invoice_id)
    return [Decision(**{**record, "verdict": Verdict(record["verdict"])}) for record in records]


class SentBack(Value, frozen=True, kw_only=True):
    """Money that went back in another amount or currency than was asked for, in minor units."""

    asked_amount: int
    asked_currency: str
    amount: int
    currency: str


class Waiting(Value, frozen=True, kw_only=True):
    """An invoice that waits for a person. Amounts are minor units."""

    account_id: str
    invoice_id: str
    test_mode: bool
    reference_id: str
    status: str
    resolution: str
    currency: str
    payment_amount: int
    """What was asked for."""
    processed_currency: str | None
    processed_amount: int | None
    """What was taken."""
    updated_at: datetime
    reason: str | None
    """The rules that hold it, or what went wrong with its money, in words."""
    sent_back: list[SentBack]
    """What of it went back in another amount or currency than was asked for, and is not settled."""


_sent_back: Final = msgspec.json.Decoder(list[SentBack])
_OF_INVOICE: Final = "x.account_id = i.account_id AND x.invoice_id = i.invoice_id"
_WAITING: Final = f"""
SELECT i.account_id, i.invoice_id, i.test_mode, i.reference_id, i.status, i.resolution, i.currency, i.payment_amount,
    p.processed_currency, p.processed_amount, i.updated_at,
    CASE WHEN i.status = 'process_error' THEN d.note
        WHEN EXISTS (SELECT 1 FROM refunds x WHERE {_OF_INVOICE} AND x.status = 'refund_error')
            THEN 'another amount was sent back than was asked for'
        WHEN EXISTS (SELECT 1 FROM refunds x WHERE {_OF_INVOICE} AND x.status = 'refund_failed'
                AND x.reason <> 'requested' AND x.provider_amount > (
                    SELECT coalesce(sum(z.provider_amount), 0) FROM disputes z
                    WHERE z.account_id = $1 AND z.payment_id = x.payment_id AND z.status <> 'won')
                AND NOT EXISTS (
                    SELECT 1 FROM refunds y WHERE y.account_id = $1 AND y.payment_id = x.payment_id
                    AND y.reason <> 'requested' AND y.created_at > x.created_at))
            THEN 'the provider would not send its money back'
        WHEN EXISTS (SELECT 1 FROM disputes x WHERE {_OF_INVOICE} AND (x.unexpected OR x.status = 'won'))
            THEN 'money that is not the merchant''s was disputed'
        WHEN EXISTS (SELECT 1 FROM invoice_events x WHERE {_OF_INVOICE} AND x.kind = 'attempt.contradicted')
            THEN 'the provider says now that it has not taken the money'
        ELSE 'more went back than was taken' END AS reason,
    (SELECT json_agg(wrong) FROM (
        SELECT x.provider_amount AS asked_amount, x.provider_currency AS asked_currency,
            x.returned_amount AS amount, x.returned_currency AS currency
        FROM refunds x WHERE {_OF_INVOICE} AND x.status = 'refund_error' AND x.returned_amount IS NOT NULL
    ) AS wrong) AS sent_back
FROM invoices i
LEFT JOIN payments p ON p.account_id = i.account_id AND p.payment_id = i.payment_id
LEFT JOIN moderation_decisions d ON d.account_id = i.account_id AND d.invoice_id = i.invoice_id
    AND d.payment_id = i.payment_id AND d.verdict = 'held'
WHERE i.account_id = $1 AND i.test_mode IN (false, true) AND i.moderation_required
ORDER BY i.created_at, i.invoice_id
"""


async def waiting(executor: Executor, *, account_id: str) -> list[Waiting]:
    """Return an account's invoices that wait for a person, oldest first."""
    records = await executor.fetch(_WAITING, account_id)
    return [Waiting(**{**record, "sent_back": _sent_back.decode(record["sent_back"] or "[]")}) for record in records]
