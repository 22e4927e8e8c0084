"""The two signatures of a callback: the API family's own, and Standard Webhooks 1.0.0 (contract#callbacks).

Both are made with the account's private key of the invoice's mode. The Standard Webhooks secret is the key's text as
bytes: what a library wants as ``whsec_…`` is ``"whsec_" + base64("sk_test_…")``.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime


def headers(callback_id: str, body: bytes, *, keys: Sequence[str], now: datetime) -> dict[str, str]:
    """Return the signing headers of one try.

    ``keys`` are the live private keys, newest first and at least one: ``X-Signature`` has room for the newest alone,
    ``webhook-signature`` lists all, so that a key can be replaced while callbacks go on. ``now`` is the real moment of
    the try, which receivers compare with their own clocks.
    """
    timestamp = int(now.timestamp())
    return {
        "X-Signature": envelope(keys[0], body),
        "webhook-id": callback_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(standard(key, callback_id, timestamp, body) for key in keys),
    }


def envelope(key: str, body: bytes) -> str:
    """Return ``base64(sha1(sk + raw_body + sk))``: the signature that existing clients of this API family check."""
    secret = key.encode()
    digest = hashlib.sha1(secret + body + secret, usedforsecurity=False)  # the wire's algorithm, never alone
    return base64.b64encode(digest.digest()).decode()


def standard(key: str, callback_id: str, timestamp: int, body: bytes) -> str:
    """Return the Standard Webhooks signature ``v1,…`` of an id, a time in unix seconds and a body."""
    signed = f"{callback_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key.encode(), signed, hashlib.sha256)).decode()}"
