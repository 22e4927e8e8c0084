"""What changes an account's rules, and how they count payments."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from kassa import ids
from kassa.audit import model as audit
from kassa.audit import operations as history
from kassa.audit.model import Kind
from kassa.db.pool import Connection, Pool, transaction, unit_of_work
from kassa.errors import NotFound
from kassa.moderation import queries
from kassa.moderation.model import Rule, Success, Terms, VelocityRule
from kassa.moderation.terms import members


@unit_of_work
async def add_rule(pool: Pool, account_id: str, terms: Terms, *, now: datetime, by: str) -> Rule:
    """Give an account a rule; it holds what is taken from the next second on. Raises ``NotFound``."""
    tag = ids.tag_of(account_id, "coma")
    if tag is None:
        raise NotFound("There is no such account.")
    rule = Rule(rule_id=ids.new_id("rule", tag), terms=terms)
    try:
        async with transaction(pool) as connection:
            await queries.insert_rule(connection, rule, account_id=account_id, now=now)
            added = audit.made(Kind.RULE_ADDED, rule.rule_id, members(rule))
            await history.record(connection, [added], account_id=account_id, by=by, now=now)
    except asyncpg.ForeignKeyViolationError:
        raise NotFound("There is no such account.") from None
    return rule


@unit_of_work
async def remove_rule(pool: Pool, account_id: str, rule_id: str, *, now: datetime, by: str) -> None:
    """Take a rule away; what it holds waits on. Raises ``NotFound``."""
    async with transaction(pool) as connection:
        rule = await queries.delete_rule(connection, rule_id, account_id=account_id)
        if rule is None:
            raise NotFound(f"The account has no rule {rule_id!r}: kassa rules list shows those that it has.")
        removed = audit.removed(Kind.RULE_REMOVED, rule_id, members(rule))
        await history.record(connection, [removed], account_id=account_id, by=by, now=now)


def counting(rules: Sequence[Rule], success: Success) -> dict[str, VelocityRule]:
    """Return the rules that count the payments of what a success was made by, by their ids."""
    return {
        rule.rule_id: rule.terms
        for rule in rules
        if isinstance(rule.terms, VelocityRule) and success.subject(rule.terms.by)
    }


async def count(
    connection: Connection, counting: Mapping[str, VelocityRule], success: Success, *, now: datetime
) -> dict[str, int]:
    """Return for each rule how many payments of the same subject there were beside a success.

    In the transaction that settles it: of one card, customer or address one payment is counted at a time.
    """
    for subject in sorted({_subject(terms, success) for terms in counting.values()}):
        await queries.lock(connection, subject)
    return {rule_id: await queries.others(connection, terms, success, now=now) for rule_id, terms in counting.items()}


def _subject(terms: VelocityRule, success: Success) -> str:
    value = success.subject(terms.by)
    text = value.hex() if isinstance(value, bytes) else value
    return f"velocity/{success.account_id}/{success.test_mode}/{terms.by}/{text}"
