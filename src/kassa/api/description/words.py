"""The prose of the API's description, in CommonMark."""

from http import HTTPStatus
from typing import Any, Final

from kassa.api.description.operation import Caller, Parameter

INTRODUCTION: Final = """\
Kassa takes a payer from a shop's order to a paid invoice. Create an invoice, send the payer to its page, and wait for
the callback or ask for the invoice.

**Answers** are JSON whatever ``Accept`` says. Unknown members of a request are ignored. A member that is null counts as
absent; an empty map may be sent as ``[]`` and is always written so.

**Money** is a JSON number with as many decimals as the currency has (``123.45``, ``100``). A request may also write it
as text (``"10.00"``).

**Times** are unix seconds.

**One reference_id, one invoice**, for ever, in each mode of an account. A repeated creation answers 409 with the
invoice that stands in ``data``. After a 5xx, ask by ``filter[reference_id]``: either the invoice is there, or it is
safe to repeat.

**Test mode** moves no money. The private API chooses it with ``test_mode``, the public API by its key.
"""

CALLERS: Final = {
    Caller.PUBLIC: "For browsers: open to every page, and authenticated by a public key among the members or in"
    " the query. The key's prefix, ``pk_test_`` or ``pk_live_``, chooses the mode.",
    Caller.PRIVATE: "For a merchant's servers: HTTP Basic with the account's id and its API key. Every address answers"
    " with and without ``/api``.",
    Caller.GATE: "For a merchant's servers that handle cards themselves, at the card gate's own address: Bearer"
    " with ``flow_data.metadata.token`` of the invoice, which is good until the invoice expires.",
    Caller.PROVIDER: "For payment providers. What they say is not believed: it makes Kassa ask them.",
}

CALLBACKS: Final = """\
The invoice's document as it was at that change, with its customer. It comes at least once, perhaps out of order:
``data.id`` and ``updated`` tell the newest. ``X-Signature`` is ``base64(sha1(sk + body + sk))`` with the private key of
the invoice's mode. ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` follow Standard Webhooks with the
same key's bytes as the secret. That standard's libraries take the secret in base64:

```python
import base64, standardwebhooks
secret = "whsec_" + base64.b64encode(b"sk_test_…").decode()
invoice = standardwebhooks.Webhook(secret).verify(body, headers)["data"]
```
"""

CONFLICT: Final = (
    "The object exists already; it is in ``data`` where the caller may read it, and ``detail`` names the members that"
    " differ."
)

REFUSALS: Final = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.UNAUTHORIZED: "The key or token is missing, unknown, or good no more.",
    HTTPStatus.FORBIDDEN: "The key is known, but has no right to call this method.",
    HTTPStatus.NOT_FOUND: "There is no such object.",
    HTTPStatus.CONFLICT: "A request with this Idempotency-Key is under way.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than 64 KiB.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of a type or encoding that this address does not read.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Some values cannot be accepted: all of them are named.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests: wait a moment.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A defect of ours. It does not say that nothing was created.",
    HTTPStatus.BAD_GATEWAY: "The provider's answer makes no sense. It does not say that nothing was created.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database does not answer at the moment.",
    HTTPStatus.GATEWAY_TIMEOUT: "The provider did not answer in time. It does not say that nothing was created.",
}

ON_PAGES: Final = {HTTPStatus.CONFLICT: "The ``reference_id`` stands for another order."}
"""What a refusal means where people read it, where that is something else."""

_PUBLIC_KEY: Final = {"type": "string", "pattern": "^pk_(test|live)_[A-Za-z0-9_-]{43}$"}

PUBLIC_KEY_MEMBER: Final[dict[str, Any]] = {
    "properties": {
        "public_key": {**_PUBLIC_KEY, "description": "The account's public key, here or in the query."},
    },
}

PUBLIC_KEY: Final = Parameter(
    name="public_key",
    words="The account's public key, here or in the body; where it is in both it has to be the same.",
    schema=_PUBLIC_KEY,
)

SIGNATURES: Final = (
    Parameter(name="X-Signature", place="header", words="``base64(sha1(sk + body + sk))``."),
    Parameter(name="webhook-id", place="header", words="The callback's id, the same on each try."),
    Parameter(name="webhook-timestamp", place="header", words="When this try was made, in unix seconds."),
    Parameter(name="webhook-signature", place="header", words="``v1,…`` of Standard Webhooks; several with spaces."),
)

UNDER_WAY: Final[dict[str, Any]] = {
    "Retry-After": {
        "description": "Seconds to wait, where a request with this Idempotency-Key is under way.",
        "schema": {"type": "integer"},
    }
}

BRACKETS: Final[dict[str, Any]] = {"style": "deepObject", "explode": True}

LOCATION: Final[dict[str, Any]] = {
    "Location": {"description": "Where to.", "required": True, "schema": {"type": "string", "format": "uri"}}
}

IDEMPOTENCY_KEY: Final = Parameter(
    name="Idempotency-Key",
    place="header",
    words="A name for this request, new for each and the same for its repeats, such as a UUID. A repeat within 24 hours"
    " is answered with the first result and ``Idempotent-Replayed: true``. The same key with another body is refused"
    " with 422, and with 409 while the first request is under way. Requests that were refused leave the key free.",
    schema={"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
)

REPLAYED: Final[dict[str, Any]] = {
    "headers": {
        "Idempotent-Replayed": {
            "description": "The result is that of an earlier request with this Idempotency-Key.",
            "schema": {"const": "true"},
        }
    }
}
