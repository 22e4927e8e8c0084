"""What runs by itself: each kind of work, when it is due, on which table, and how much of it at a time.

``app.jobs`` composes the classes that do it; each is beside what it does and names its queue here.
"""

from datetime import timedelta
from typing import Final

from kassa.work.queue import Queue

CALLBACKS: Final = Queue(
    name="callbacks",
    table="callbacks",
    key=("callback_id",),
    then_by=("logged_at",),
    counter="tries",
    # Shorter than a live try, during which it is renewed: so what a dead worker held is soon taken by another.
    lease=timedelta(seconds=30),
    renew_seconds=10,
    per_account=4,
)
"""Callbacks whose time to be delivered, or tried again, has come (``callbacks/delivery.py``)."""

INVOICES: Final = Queue(
    name="invoices", table="invoices", key=("invoice_id",), lease=timedelta(seconds=60), per_account=8
)
"""Invoices that expire, and reserves that are released (``invoices/operations/expire.py``)."""

PAYMENTS: Final = Queue(
    name="polling payments",
    table="payments",
    key=("payment_id",),
    counter="polls",
    lease=timedelta(seconds=60),
    per_account=8,
)
"""Attempts whose outcome is not known (``invoices/operations/polling.py``)."""

REFUNDS: Final = Queue(
    name="polling refunds",
    table="refunds",
    key=("refund_id",),
    counter="polls",
    lease=timedelta(seconds=60),
    per_account=8,
)
"""Refunds whose outcome is not known (``invoices/operations/refund.py``)."""

LEDGER_ENTRIES: Final = Queue(name="numbering", table="ledger_unnumbered", due=None, per_account=1)
"""Ledger entries without a number: due at once, an account's in batches (``ledger/numbering.py``)."""

RECONCILIATION: Final = Queue(
    name="reconciling",
    table="provider_accounts",
    key=("provider_account_id",),
    due="reconcile_at",
    lease=timedelta(hours=1),
    per_account=1,
    poll_seconds=1,
)
"""Provider accounts whose books are compared, once a night (``reconciliation/nightly.py``)."""

IDEMPOTENCY_KEYS: Final = Queue(
    name="forgetting keys", table="idempotency_keys", of_mode=False, per_account=1, poll_seconds=60
)
"""Idempotency keys that are a day old, deleted in batches (``idempotency/forgetting.py``)."""

LISTENERS: Final = Queue(
    name="forgetting listeners",
    table="callback_listeners",
    due="leased_until",
    of_mode=False,
    per_account=1,
    poll_seconds=1,
)
"""Listeners that are gone, deleted with what they have collected (``callbacks/listeners/forgetting.py``)."""

QUEUES: Final = (
    CALLBACKS,
    INVOICES,
    PAYMENTS,
    REFUNDS,
    LEDGER_ENTRIES,
    RECONCILIATION,
    IDEMPOTENCY_KEYS,
    LISTENERS,
)
