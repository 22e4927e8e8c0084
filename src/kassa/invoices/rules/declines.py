"""Card testing: how many declines are too many, for a payer, for a card, and for an account. Pure.

Someone who tries out stolen cards is declined most of the time. A payer, or a card, with too many declines within an
hour has to wait. An account most of whose latest cards were declined is under attack: from then on one decline is
enough to wait, so that a payer who has none is not held up, and payers are not shown why a card was declined.
"""

from datetime import datetime, timedelta
from typing import Final

from kassa.values import Value

WINDOW: Final = timedelta(hours=1)
LATEST_CARDS: Final = 100
"""So many of an account's latest cards show whether it is under attack."""

_UNDER_ATTACK: Final = 1


class Limits(Value, frozen=True, kw_only=True):
    """How many declines are too many; 0 for no limit."""

    of_payer: int
    of_card: int
    of_account: int
    """Among its latest cards."""

    @property
    def some(self) -> bool:
        """Whether there is any limit."""
        return (self.of_payer, self.of_card, self.of_account) != (0, 0, 0)


class Declines(Value, frozen=True, kw_only=True):
    """What an account has declined within the window."""

    of_payer: list[datetime]
    """When, newest first, as many as the limit; so has the next."""
    of_card: list[datetime]
    of_account: int
    """How many of its latest cards."""

    def attack(self, limits: Limits) -> bool:
        """Return whether the account is under attack."""
        return 0 < limits.of_account <= self.of_account

    def wait_until(self, limits: Limits) -> datetime | None:
        """Return when this payer and this card may be tried again, or None where they need not wait."""
        attacked = self.attack(limits)
        ends = [_end(self.of_payer, limits.of_payer, attacked), _end(self.of_card, limits.of_card, attacked)]
        return max((end for end in ends if end is not None), default=None)


def _end(declined: list[datetime], limit: int, attacked: bool) -> datetime | None:  # noqa: FBT001 - read with its caller
    """Return when so few declines are left in the window that one more attempt may be made."""
    most = _UNDER_ATTACK if attacked else limit
    return declined[most - 1] + WINDOW if 0 < most <= len(declined) else None
