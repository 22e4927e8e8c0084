"""Both signatures, checked by programs that are not ours: the standardwebhooks library and the openssl command."""

import base64
import subprocess

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from kassa.callbacks import signing
from kassa.clock import Clock

KEY = "sk_test_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0-_x"
OLDER = "sk_test_" + "z9Y8x7W6v5U4t3S2r1Q0p9O8n7M6l5K4j3I2h1G0-_x"
ID = "msg_tag1abcdefghijkl"
BODY = '{"data":{"id":"cpi_tag1ABCDEFGHIJKL","description":"Рахунок № 7 — ✓"}}'.encode()


def openssl(*arguments: str, given: bytes) -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout  # noqa: S607


def signed(*keys: str) -> dict[str, str]:
    return signing.headers(ID, BODY, keys=keys, now=Clock.real())


def test_openssl_makes_the_same_x_signature() -> None:
    digest = openssl("dgst", "-sha1", "-binary", given=KEY.encode() + BODY + KEY.encode())
    assert signed(KEY)["X-Signature"] == base64.b64encode(digest).decode()


def test_openssl_makes_the_same_standard_signature() -> None:
    headers = signed(KEY)
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + BODY
    mac = openssl(
        "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{KEY.encode().hex()}", "-binary", given=content
    )
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


def test_the_standardwebhooks_library_accepts_it_with_the_key_as_secret() -> None:
    whsec = "whsec_" + base64.b64encode(KEY.encode()).decode()
    for secret in (KEY.encode(), whsec):
        assert Webhook(secret).verify(BODY, signed(KEY))["data"]["id"] == "cpi_tag1ABCDEFGHIJKL"


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_the_library_refuses_a_changed_header(name: str) -> None:
    headers = signed(KEY)
    headers[name] = {"webhook-id": "msg_other", "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}.get(
        name, signed(OLDER)["webhook-signature"]
    )
    with pytest.raises(WebhookVerificationError):
        Webhook(KEY.encode()).verify(BODY, headers)


def test_during_a_roll_both_keys_verify_and_the_envelope_is_of_the_newest() -> None:
    headers = signed(KEY, OLDER)
    for key in (KEY, OLDER):
        Webhook(key.encode()).verify(BODY, headers)
    assert headers["X-Signature"] == signing.envelope(KEY, BODY)


def test_known_vectors_stay_as_they_were_published() -> None:
    assert signing.envelope("sk_test_key", b"{}") == "713UhGc1XRoxpVef0TIOL3N6Zag="
    assert (
        signing.standard("sk_test_key", "msg_1", 1597833098, b"{}") == "v1,nSENqbUMrCSED90VdcJluJ95zFBgKkJrVk5d7O9vGNk="
    )
