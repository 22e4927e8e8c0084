"""What changes rules, and what they do to a payment that was just taken; who decides is told here, once and for all."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from kassa import ids
from kassa.db.pool import Connection, Executor, Pool
from kassa.errors import NotFound
from kassa.moderation import model, queries
from kassa.moderation.model import Decision, Hold, Rule, Success, Terms, VelocityRule, Verdict


async def add_rule(pool: Pool, account_id: str, terms: Terms, *, now: datetime) -> Rule:
    """Give an account a rule; it holds what is taken from the next second on. Raises ``NotFound``."""
    tag = ids.tag_of(account_id, "coma")
    if tag is None:
        raise NotFound("There is no such account.")
    rule = Rule(rule_id=ids.new_id("rule", tag), terms=terms)
    try:
        await queries.insert_rule(pool, rule, account_id=account_id, now=now)
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("There is no such account.") from None
    return rule


async def remove_rule(pool: Pool, account_id: str, rule_id: str) -> None:
    """Take a rule away; what it holds waits on. Raises ``NotFound``."""
    if not await queries.delete_rule(pool, rule_id, account_id=account_id):
        raise NotFound(f"The account has no rule {rule_id!r}: kassa rules list shows those that it has.")


async def screen(connection: Connection, rules: Sequence[Rule], success: Success, *, now: datetime) -> Hold | None:
    """Hold a payment against an account's rules, in the transaction that settles it, and write down what holds it.

    Two payments of one card, customer or address are counted one after the other: both cannot pass for the last.
    """
    counting = {
        rule.rule_id: rule.terms
        for rule in rules
        if isinstance(rule.terms, VelocityRule) and success.subject(rule.terms.by)
    }
    for subject in sorted({_subject(terms, success) for terms in counting.values()}):
        await queries.lock(connection, subject)
    others = {rule_id: await queries.others(connection, terms, success, now=now) for rule_id, terms in counting.items()}
    hold = model.verdict(rules, success, others)
    if hold is not None:
        decision = Decision(
            decision_id=ids.new_id("dec", ids.tag_of(success.payment_id, "pay") or ""),
            invoice_id=success.invoice_id,
            payment_id=success.payment_id,
            verdict=Verdict.HELD,
            decided_by=", ".join(hold.rule_ids),
            note=hold.reason,
            decided_at=now,
        )
        await record(connection, decision, account_id=success.account_id)
    return hold


async def record(connection: Executor, decision: Decision, *, account_id: str) -> None:
    """Write a decision down in the transaction that carries it out; a payment is decided on once."""
    await queries.insert_decision(connection, decision, account_id=account_id)


def _subject(terms: VelocityRule, success: Success) -> str:
    value = success.subject(terms.by)
    text = value.hex() if isinstance(value, bytes) else value
    return f"velocity/{success.account_id}/{success.test_mode}/{terms.by}/{text}"
