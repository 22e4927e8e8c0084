"""What happens to money, fact by fact, so that a bookkeeper can read it. Each recipe returns one entry.

Read ``PROVIDER, ACTIVE, amount`` as: debit the ledger account ``provider``, credit ``active``. All amounts are minor
units of ``currency``, the invoice's. ``at_provider`` is what of it the provider has taken or given back, with its own
currency: where that is another, the money goes through ``exchange``.
"""

from kassa.ledger.recipes.disputes import (
    charged_back,
    charged_back_unexpected,
    dispute_won,
    dispute_won_unexpected,
)
from kassa.ledger.recipes.payments import (
    approved,
    processed,
    released,
    suspended,
    unexpected,
)
from kassa.ledger.recipes.refunds import (
    refund_failed,
    refund_failed_after_success,
    refund_mismatched,
    refund_reopened,
    refund_sent,
    refund_sent_after_failure,
    refund_started,
)

__all__ = [
    "approved",
    "charged_back",
    "charged_back_unexpected",
    "dispute_won",
    "dispute_won_unexpected",
    "processed",
    "refund_failed",
    "refund_failed_after_success",
    "refund_mismatched",
    "refund_reopened",
    "refund_sent",
    "refund_sent_after_failure",
    "refund_started",
    "released",
    "suspended",
    "unexpected",
]
