"""Read a callback as a CGI program gets it: the body on standard input, the headers in the environment."""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Mapping


# --8<-- [start:verify]
def genuine(key: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether both signatures of a callback were made with the key, within the last five minutes."""
    secret = key.encode()
    simple = base64.b64encode(hashlib.sha1(secret + body + secret).digest())
    if not hmac.compare_digest(simple, headers["x-signature"].encode()):
        return False
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    standard = b"v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256))
    if not any(hmac.compare_digest(standard, each.encode()) for each in headers["webhook-signature"].split()):
        return False
    return abs(time.time() - int(headers["webhook-timestamp"])) <= 300
# --8<-- [end:verify]


names = ("x-signature", "webhook-id", "webhook-timestamp", "webhook-signature")
headers = {name: os.environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in names}
body = sys.stdin.buffer.read()
if not genuine(os.environ["PRIVATE_KEY"], headers, body):
    sys.exit("not genuine")
invoice = json.loads(body)["data"]
print("genuine", invoice["id"], invoice["attributes"]["status"], invoice["attributes"]["updated"])
