"""The texts of the API's description, in CommonMark."""

from http import HTTPStatus
from typing import Any, Final

from kassa.api.description.operation import Caller, Parameter

INTRODUCTION: Final = """\
Create an invoice for an order, send the payer to its page, and wait for the callback or read the invoice again.

**Requests and answers** are JSON, whatever ``Accept`` says. Unknown members of a request are ignored. A member that is
null counts as absent; an empty map may be sent as ``[]`` and is always written so.

**Money** is a JSON number with as many decimals as the currency has (``123.45``, ``100``). A request may also send it
as text (``"10.00"``).

**Times** are unix seconds.

**One reference_id, one invoice**, for ever, in each mode of an account. Creating it again answers 409 with the existing
invoice in ``data``. After a 5xx or a broken connection, read ``filter[reference_id]``: either the invoice is there, or
it is safe to repeat the request.

**Idempotency-Key**: every POST of the private API takes this header. A repeat with the same key within 24 hours gets
the first result.

**Test mode** moves no money. In the private API the member ``test_mode`` selects it; in the public API the key does.
"""

CALLERS: Final = {
    Caller.PUBLIC: "For browsers: open to every website. Send a public key as the member or query parameter"
    " ``public_key``. Its prefix, ``pk_test_`` or ``pk_live_``, selects the mode.",
    Caller.PRIVATE: "For a merchant's servers: HTTP Basic with the account's id as the user and its API key as the"
    " password. Every path also works without ``/api``.",
    Caller.GATE: "For a merchant's servers that handle card numbers, at the card gate's own address: a Bearer token,"
    " which is ``flow_data.metadata.token`` of the invoice and valid until the invoice expires.",
    Caller.PROVIDER: "For payment providers, which sign what they send. A notification is never believed: it only makes"
    " Kassa poll the provider.",
}

CALLBACKS: Final = """\
The body is the invoice's document as it was at that change, with its customer. Callbacks arrive at least once and
possibly out of order: of two with the same ``data.id``, the one with the greater ``updated`` is newer. Answer with any
2xx; everything else is tried again later, with the same bytes.

``X-Signature`` is ``base64(sha1(key + body + key))``, where the key is the private key of the invoice's mode,
``sk_test_…`` or ``sk_live_…``. ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` follow Standard Webhooks
with the bytes of the same key as the secret. Its libraries take that secret in base64:

```python
import base64, standardwebhooks
secret = "whsec_" + base64.b64encode(b"sk_test_…").decode()
invoice = standardwebhooks.Webhook(secret).verify(body, headers)["data"]
```
"""

SAME_KEY: Final = "Also while the first request with the same ``Idempotency-Key`` is still running."

ERRORS: Final = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.UNAUTHORIZED: "The key or token is missing, unknown, expired or revoked.",
    HTTPStatus.FORBIDDEN: "The key is valid, but it may not call this method.",
    HTTPStatus.NOT_FOUND: "There is no such object.",
    HTTPStatus.CONFLICT: "The first request with the same Idempotency-Key is still running.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than 64 KiB.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body has a media type or an encoding that is not accepted here.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Some values are not acceptable; the answer names all of them.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests: wait for as many seconds as Retry-After says.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An internal error. The object may have been created all the same.",
    HTTPStatus.BAD_GATEWAY: "The provider's answer makes no sense. The object may have been created all the same.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database does not answer at the moment.",
    HTTPStatus.GATEWAY_TIMEOUT: "The provider did not answer in time. The object may have been created all the same.",
}

ON_PAGES: Final = {HTTPStatus.CONFLICT: "The ``reference_id`` belongs to another order."}
"""What an error means on a page, where that differs."""

_PUBLIC_KEY: Final = {"type": "string", "pattern": "^pk_(test|live)_[A-Za-z0-9_-]{43}$"}

PUBLIC_KEY_MEMBER: Final[dict[str, Any]] = {
    "properties": {
        "public_key": {**_PUBLIC_KEY, "description": "The account's public key, here or in the query."},
    },
}

PUBLIC_KEY: Final = Parameter(
    name="public_key",
    description="The account's public key, here or in the body; if it is in both, it must be the same.",
    schema=_PUBLIC_KEY,
)

SIGNATURES: Final = (
    Parameter(name="X-Signature", place="header", description="``base64(sha1(key + body + key))``."),
    Parameter(name="webhook-id", place="header", description="The callback's id, the same at each attempt."),
    Parameter(name="webhook-timestamp", place="header", description="When this attempt was made, in unix seconds."),
    Parameter(
        name="webhook-signature",
        place="header",
        description="``v1,…`` of Standard Webhooks; several are separated by spaces.",
    ),
)

UNDER_WAY: Final[dict[str, Any]] = {
    "Retry-After": {
        "description": "Seconds to wait, if a request with this Idempotency-Key is still running.",
        "schema": {"type": "integer"},
    }
}

BRACKETS: Final[dict[str, Any]] = {"style": "deepObject", "explode": True}

LOCATION: Final[dict[str, Any]] = {
    "Location": {"description": "The next page.", "required": True, "schema": {"type": "string", "format": "uri"}}
}

IDEMPOTENCY_KEY: Final = Parameter(
    name="Idempotency-Key",
    place="header",
    description="An id of this request, such as a UUID: new for each request, the same for its repeats. A repeat"
    " within 24 hours gets the first result and ``Idempotent-Replayed: true``. The same key with another body is"
    " refused with 422, and with 409 while the first request is still running. A refused request leaves the key free.",
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
