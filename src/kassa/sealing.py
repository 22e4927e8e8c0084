"""Keys derived from one root, and values sealed under them, so that a copy of the database alone opens nothing.

Each purpose and mode has a key of its own (HKDF-SHA256, RFC 5869); sealed values are AES-256-GCM with the key's id in
front, so that a root can be replaced and old values are still recognised.
"""

import base64
import binascii
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kassa.errors import SettingsWrong

ROOT_BYTES = 32
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12


class Root:
    """The secret that every other key comes from. Its text never appears in a log or an error."""

    def __init__(self, text: str) -> None:
        """Read 32 bytes in base64url. Raises ``SettingsWrong`` for anything else."""
        try:
            secret = base64.urlsafe_b64decode(text.strip() + "==")
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != ROOT_BYTES:
            raise SettingsWrong("KASSA_SECRET_KEY should be 32 bytes in base64url.")
        self._secret = secret
        self._key_id = _digest(self.derive("key-id"))[:_KEY_ID_BYTES]

    @staticmethod
    def generate() -> str:
        """Return the text of a new root."""
        return base64.urlsafe_b64encode(secrets.token_bytes(ROOT_BYTES)).rstrip(b"=").decode()

    def derive(self, purpose: str, *, test_mode: bool | None = None) -> bytes:
        """Return the 32-byte key for a purpose; test and live keys have nothing in common."""
        mode = {None: "any", True: "test", False: "live"}[test_mode]
        return _derive(self._secret, f"kassa/{mode}/{purpose}")

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """Return a value that only this root opens, and only for this purpose."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self._key_id + nonce + AESGCM(self.derive(purpose)).encrypt(nonce, plain, purpose.encode())

    def unseal(self, sealed: bytes, purpose: str) -> bytes:
        """Return what was sealed. Raises ``SettingsWrong`` when another root or purpose sealed it."""
        nonce = sealed[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES]
        try:
            return AESGCM(self.derive(purpose)).decrypt(nonce, sealed[_KEY_ID_BYTES + _NONCE_BYTES :], purpose.encode())
        except (InvalidTag, ValueError):
            raise SettingsWrong(
                "KASSA_SECRET_KEY is not the one that this database's secrets were sealed with."
            ) from None

    def __repr__(self) -> str:
        return "Root(…)"


@lru_cache(maxsize=64)
def _derive(secret: bytes, info: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info.encode()).derive(secret)


def _digest(data: bytes) -> bytes:
    digest = Hash(SHA256())
    digest.update(data)
    return digest.finalize()
