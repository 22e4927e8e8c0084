"""Settings: read once at start from the environment (prefix ``KASSA_``), then handed on as one frozen value.

Each setting NAME comes from ``KASSA_NAME``, or from the file that ``KASSA_NAME_FILE`` names: so secrets arrive.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from kassa.errors import SettingsWrong

PREFIX = "KASSA_"


def default_home() -> Path:
    """Return where Kassa keeps its data when nothing else is said: a place that its user owns."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/kassa")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "kassa"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator can set. Ports of 0 mean: any that is free."""

    home: str = msgspec.field(default_factory=lambda: str(default_home()))
    host: str = "127.0.0.1"
    port: int = 8000
    gate_port: int | None = None
    """The card gate's own port; by default the one after ``port``."""
    bank_port: int | None = None
    """The fake bank's own port, in demo mode; by default the one after the gate's."""
    base_url: str | None = None
    """How the world reaches the API and the checkout, without a trailing slash; by default ``http://host:port``."""
    gate_url: str | None = None
    bank_url: str | None = None
    database_url: str | None = None
    """A PostgreSQL of the operator's; without it Kassa runs an embedded one in its home."""
    database_port: int = 0
    """The embedded server's port."""
    secret_key: str | None = None
    """32 bytes in base64url: the root of every key that Kassa derives; by default made once in the home."""
    demo: bool = False
    token_algorithm: str = "EdDSA"
    """How card-gate tokens are signed: ``EdDSA``, or ``RS512`` with ``token_private_key``."""
    token_private_key: str | None = None
    """An RSA private key in PEM, for ``RS512``."""
    outbound_allow: str = ""
    """Networks, comma-separated, that callbacks may reach although they are not public, such as ``10.1.0.0/16``."""
    outbound_ports: str = "80,443"
    """Ports that callbacks may reach on public addresses."""
    log_level: str = "info"
    provider_seconds: Annotated[float, Meta(gt=0, le=20)] = 20.0
    """How long a provider may take to answer; to a question what became of a payment, half of that."""
    provider_questions_per_second: Annotated[int, Meta(ge=10, le=10_000)] = 50
    """How many such questions this process's worker asks one provider, and how many at once after a silence."""
    trusted_proxies: str = ""
    """Addresses, comma-separated, of reverse proxies whose ``X-Forwarded-For`` is believed."""

    def __repr__(self) -> str:
        return f"Settings({self.home}, …)"

    def home_path(self) -> Path:
        """Return the home as an absolute path."""
        return Path(self.home).expanduser().absolute()


def load(environ: Mapping[str, str], **given: object) -> Settings:
    """Return the settings from an environment; what is ``given`` (command-line options, where not None) wins.

    Raises ``SettingsWrong`` naming the variable that cannot be read.
    """
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(Settings):
        text = _read(environ, PREFIX + field.name.upper())
        if text is not None:
            values[field.name] = text
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsWrong(f"A setting cannot be read: {error}") from None


def _read(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(f"{name}_FILE")
    if path is None:
        return environ.get(name) or None
    try:
        return Path(path).read_text().strip() or None
    except OSError as error:
        raise SettingsWrong(f"{name}_FILE cannot be read: {error.strerror}.") from None
