"""What a provider can do besides the verbs, it can still do when its requests are counted."""

from datetime import datetime
from typing import Final

import pytest

from kassa.providers.metered import metered
from kassa.providers.protocol import Attempt, Cancels, Credentials, Declined, Outcome, Provider, Statement, Statements


class Plain(Provider):
    code = "plain"


class Cancelling(Plain):
    async def cancel(self, credentials: Credentials, attempt: Attempt) -> Outcome:
        return Declined(external_id=attempt.external_id, resolution="client_auth_failed")


class WithStatement(Plain):
    async def statement(
        self, credentials: Credentials, since: datetime, until: datetime, after: str | None
    ) -> Statement:
        return Statement(lines=(), next=None)


class CancellingWithStatement(Cancelling, WithStatement):
    pass


KINDS: Final = (Plain, Cancelling, WithStatement, CancellingWithStatement)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("ability", [Cancels, Statements], ids=["cancels", "statements"])
def test_a_metered_provider_can_do_exactly_what_it_could(kind: type[Plain], ability: type) -> None:
    provider = kind()
    assert isinstance(metered(provider), ability) == isinstance(provider, ability)
