"""The bank's notifications: whether one is genuine, and which payment it is about."""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from kassa.clock import Clock
from kassa.errors import BadRequest, Unauthorized
from kassa.providers.protocol import Notice
from kassa.values import Value

TOLERANCE_SECONDS = 300
"""How far the signed time may be from ours; an older message is a replay."""


CHARGED_BACK = "purchase.charged_back"
"""The event of a chargeback, and of what was decided on it; others are about the purchase itself, or a refund."""


class _Purchase(Value, frozen=True, kw_only=True):
    order: str


class _Refund(Value, frozen=True, kw_only=True):
    refund: str


class _Notification(Value, frozen=True, kw_only=True):
    event: str
    purchase: _Purchase
    refund: _Refund | None = None


def read(secret: str, headers: Mapping[str, str], body: bytes) -> Notice:
    """Return what a notification is about; header names may come in any case.

    Raises ``Unauthorized`` when the bank did not sign it just now, ``BadRequest`` when it cannot be read.
    """
    plain = {name.lower(): value for name, value in headers.items()}
    notification_id = plain.get("bank-notification-id", "")
    timestamp = plain.get("bank-timestamp", "")
    signed = f"{notification_id}.{timestamp}.".encode() + body
    right = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(plain.get("bank-signature", "").encode(), right.encode()):
        raise Unauthorized("The notification is not signed by the bank.")
    if not timestamp.isdecimal() or abs(Clock.real().timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise Unauthorized("The notification was signed too long ago.")
    try:
        notification = msgspec.json.decode(body, type=_Notification)
    except msgspec.DecodeError:
        raise BadRequest("The notification cannot be read.") from None
    dispute = notification.event == CHARGED_BACK
    refund_id = notification.refund.refund if notification.refund else None
    return Notice(payment_id=notification.purchase.order, refund_id=refund_id, dispute=dispute)
