"""Notifying merchants: signed messages that are sent again until the merchant takes them or the tries are used up.

``Bank-Signature`` is the hex HMAC-SHA256, under the merchant's secret, of ``{id}.{timestamp}.{body}``, where the id
(``Bank-Notification-Id``) stays the same on each try and the time stamp (``Bank-Timestamp``, unix seconds of real time)
is that of the try.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Mapping

import structlog

from kassa.bank import queries
from kassa.bank.books import Books
from kassa.bank.notices import FORGER
from kassa.bank.queries import Notification
from kassa.clock import Clock
from kassa.errors import AddressRefused, RequestFailed
from kassa.outbound import Outbound

RETRY_SECONDS = (1, 2, 5, 15, 60, 300, 1800, 7200, 21600)
"""The delay after each failed try; after the last one there is none."""
ANSWER_SECONDS = 10.0
IN_FLIGHT_MAX = 32
_TAKEN = range(200, 300)

_log = structlog.get_logger(__name__)


class Notifier:
    """Sends the notifications that are due, as long as it runs."""

    def __init__(self, books: Books, merchants: Mapping[str, str], outbound: Outbound) -> None:
        self._books = books
        self._merchants = merchants
        self._outbound = outbound
        self._in_flight: set[str] = set()

    async def run(self) -> None:
        """Send for ever; cancel to stop. A request that is cut off is sent again at the next start."""
        async with asyncio.TaskGroup() as sending:
            while True:
                change = self._books.change
                now = Clock.real().timestamp()
                resting = [each for each in self._waiting() if each.notification_id not in self._in_flight]
                for notification in resting:
                    if notification.due_at <= now:
                        self._in_flight.add(notification.notification_id)
                        sending.create_task(self._send(notification))
                later = min((each.due_at - now for each in resting if each.due_at > now), default=None)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(later):
                        await change.wait()

    def _waiting(self) -> list[Notification]:
        return queries.waiting_notifications(self._books.connection, limit=IN_FLIGHT_MAX)

    async def _send(self, notification: Notification) -> None:
        try:
            taken = await self._post(notification)
        except (AddressRefused, RequestFailed):
            taken = False
        self._in_flight.discard(notification.notification_id)
        now = Clock.real().timestamp()
        more = notification.tries < len(RETRY_SECONDS)
        with self._books.transaction() as connection:
            if taken:
                queries.mark_delivered(connection, notification.notification_id, now)
            else:
                due_at = now + RETRY_SECONDS[notification.tries] if more else None
                queries.mark_tried(connection, notification.notification_id, due_at)
        if not taken and not more:
            _log.warning("bank notification given up", notification_id=notification.notification_id)

    async def _post(self, notification: Notification) -> bool:
        timestamp = str(int(Clock.real().timestamp()))
        secret = self._merchants.get(notification.merchant_id)
        if notification.merchant_id == FORGER:
            secret = secrets.token_hex()
        if secret is None:
            return False
        answer = await self._outbound.request(
            "POST",
            notification.url,
            headers={
                "Content-Type": "application/json",
                "Bank-Notification-Id": notification.notification_id,
                "Bank-Timestamp": timestamp,
                "Bank-Signature": signature(secret, notification.notification_id, timestamp, notification.body),
            },
            body=notification.body,
            timeout_seconds=ANSWER_SECONDS,
            guarded=False,
            body_needed=False,
        )
        return answer.status in _TAKEN


def signature(secret: str, notification_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature that proves that a message is the bank's."""
    return hmac.new(secret.encode(), f"{notification_id}.{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
