import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kassa.config import Settings
from kassa.errors import SettingsWrong, Unauthorized
from kassa.sealing import Root
from kassa.tokens import TokenSigner

NOW = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
SESSION = "cgi_8z1WIRwAtwvyI3G9"
ROOT = Root(Root.generate())
LATER = NOW + timedelta(minutes=30)


def part(token: str, position: int) -> object:
    text = token.split(".")[position]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def rsa() -> Settings:
    key = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Settings(token_algorithm="RS512", token_private_key=key.decode())


@pytest.mark.parametrize("settings", [Settings(), rsa()], ids=["EdDSA", "RS512"])
def test_a_token_says_its_session_and_its_end_and_is_always_the_same(settings: Settings) -> None:
    signer = TokenSigner(settings, ROOT)
    token = signer.sign(SESSION, LATER)
    assert part(token, 0) == {"typ": "JWT", "alg": settings.token_algorithm}
    assert part(token, 1) == {"sid": SESSION, "exp": int(LATER.timestamp())}
    assert TokenSigner(settings, ROOT).sign(SESSION, LATER) == token
    assert signer.read(token, now=NOW) == SESSION


def test_a_token_is_good_until_its_invoice_expires() -> None:
    signer = TokenSigner(Settings(), ROOT)
    token = signer.sign(SESSION, LATER)
    assert signer.read(token, now=LATER - timedelta(seconds=1)) == SESSION
    with pytest.raises(Unauthorized):
        signer.read(token, now=LATER)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_another_key_another_algorithm_or_nobody_signed_is_refused() -> None:
    signer = TokenSigner(Settings(), ROOT)
    head, claims, signature = signer.sign(SESSION, LATER).split(".")
    forged = [
        TokenSigner(Settings(), Root(Root.generate())).sign(SESSION, LATER),
        TokenSigner(rsa(), ROOT).sign(SESSION, LATER),
        f"{encoded({'typ': 'JWT', 'alg': 'none'})}.{claims}.",
        f"{encoded({'typ': 'JWT', 'alg': 'HS256'})}.{claims}.{signature}",
        f"{head}.{encoded({'sid': 'cgi_0000000000000000', 'exp': 2**33})}.{signature}",
        f"{head}.{claims}.",
        f"{head}.{claims}",
        "",
        "ё",
    ]
    for token in forged:
        with pytest.raises(Unauthorized):
            signer.read(token, now=NOW)


def test_an_algorithm_that_there_is_not_and_a_key_that_is_none_are_told_at_the_start() -> None:
    for settings in (
        Settings(token_algorithm="none"),
        Settings(token_algorithm="RS512"),
        Settings(token_algorithm="RS512", token_private_key="x"),
    ):
        with pytest.raises(SettingsWrong):
            TokenSigner(settings, ROOT)
