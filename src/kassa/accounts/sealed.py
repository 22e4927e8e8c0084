"""What an account keeps sealed: the private keys that sign, and the secrets that open its provider accounts."""

from collections.abc import Mapping

import msgspec

from kassa.sealing import Root

_PRIVATE_KEY = "private-key"
_PROVIDER_CREDENTIALS = "provider-credentials"


def seal_private_key(root: Root, text: str) -> bytes:
    """Return a private key as it is kept."""
    return root.seal(text.encode(), _PRIVATE_KEY)


def open_private_key(root: Root, sealed: bytes) -> str:
    """Return a private key's text. Raises ``SettingsWrong`` when another root sealed it."""
    return root.unseal(sealed, _PRIVATE_KEY).decode()


def seal_secrets(root: Root, secrets: Mapping[str, str]) -> bytes:
    """Return a provider account's secrets as they are kept."""
    return root.seal(msgspec.json.encode(secrets), _PROVIDER_CREDENTIALS)


def open_secrets(root: Root, sealed: bytes) -> dict[str, str]:
    """Return a provider account's secrets. Raises ``SettingsWrong`` when another root sealed them."""
    return msgspec.json.decode(root.unseal(sealed, _PROVIDER_CREDENTIALS), type=dict[str, str])
