"""Settings: read once at start from the environment (prefix ``KASSA_``), then handed on as one frozen value.

Each setting NAME comes from ``KASSA_NAME``, or from the file that ``KASSA_NAME_FILE`` names: so secrets arrive.
docs/settings.md describes each of them.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from kassa import setting_texts
from kassa.errors import SettingsWrong

PREFIX = "KASSA_"
COMMAND_VARIABLES: Final = frozenset({"KASSA_ACCOUNT", "KASSA_API_KEY", "KASSA_OPERATOR"})
"""What commands other than ``kassa serve`` read from the environment themselves."""

Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]

LIMITS = {
    "connections_by_address": 100,
    "creations_by_address": 60,
    "misses_by_address": 60,
    "attempts_by_address": 30,
    "declines_by_address": 6,
    "declines_by_card": 6,
    "declines_by_account": 50,
}
"""Limits where nothing else is said. Demo mode has none: there is one visitor, who tries everything out."""


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
    port: Port = 8000
    gate_port: Port | None = None
    """The card gate's own port; by default the one after ``port``."""
    bank_port: Port | None = None
    """The fake bank's own port, in demo mode; by default the one after the gate's."""
    health_host: str = "127.0.0.1"
    """Where monitoring requests ``/readyz`` and ``/metrics``; no one else has to reach it."""
    health_port: Port | None = None
    """By default the one after the bank's, and any that is free with ``--only``."""
    base_url: str | None = None
    """How the world reaches the API and the checkout, without a trailing slash; by default ``http://host:port``."""
    gate_url: str | None = None
    bank_url: str | None = None
    database_url: str | None = None
    """A PostgreSQL of the operator's; without it Kassa runs an embedded one in its home."""
    database_port: Port = 0
    """The embedded server's port."""
    secret_key: str | None = None
    """32 bytes in base64url: the root of every key that Kassa derives; by default made once in the home."""
    demo: bool = False
    drain_seconds: Annotated[int, msgspec.Meta(ge=0, le=5)] = 3
    """How long requests are still taken after SIGTERM, while ``/readyz`` says 503 and answers close connections."""
    token_algorithm: str = "EdDSA"
    """How card-gate tokens are signed: ``EdDSA``, or ``RS512`` with ``token_private_key``."""
    token_private_key: str | None = None
    """An RSA private key in PEM, for ``RS512``."""
    outbound_allow: str = ""
    """Networks, comma-separated, that callbacks may reach although they are not public, such as ``10.1.0.0/16``."""
    outbound_ports: str = "80,443"
    """Ports that callbacks may reach on public addresses."""
    rates_ecb_url: str = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
    """Where ``kassa rates update`` fetches exchange rates: the European Central Bank's, in euros."""
    rates_nbu_url: str = "https://bank.gov.ua/NBUStatService/v1/statdirectory/exchange?json"
    """The National Bank of Ukraine's, in hryvnias."""
    rates_cbr_url: str = "https://www.cbr.ru/scripts/XML_daily.asp"
    """The Central Bank of Russia's, in roubles."""
    rates_ecb_days: Annotated[int, Meta(ge=1)] = 7
    """How many days after its own the ECB's rate may still be used in live mode."""
    rates_nbu_days: Annotated[int, Meta(ge=1)] = 7
    rates_cbr_days: Annotated[int, Meta(ge=1)] = 14
    """Longer, because there are none in the first days of January."""
    workers: Annotated[int, Meta(ge=1, le=256)] | None = None
    """How many worker processes ``kassa serve`` runs; by default one for each core, and one in demo mode."""
    log_level: LogLevel = "info"
    provider_seconds: Annotated[float, Meta(gt=0, le=20)] = 20.0
    """How long a provider may take to answer; to a question what became of a payment, half of that."""
    provider_questions_per_second: Annotated[int, Meta(ge=10, le=10_000)] = 50
    """How many such questions this process's worker asks one provider, and how many at once after a silence."""
    trusted_proxies: str = ""
    """Addresses or networks, comma-separated, of reverse proxies whose ``X-Forwarded-For`` is believed."""
    connections: int = 2000
    """Connections in each process; half of the open files that the system gives, where that is less."""
    connections_by_address: int | None = None
    """Connections in each process from one address that is not a trusted proxy's. Limits are as in ``LIMITS`` where
    they are not set, none in demo mode; 0 is none."""
    creations_by_address: int | None = None
    """Invoices a minute that one public key makes from one address, in each process."""
    misses_by_address: int | None = None
    """Invoice ids a minute that one address may ask for in vain, in each process, before it is not answered."""
    attempts_by_address: int | None = None
    """Cards a minute that may be sent from one address, in each process."""
    declines_by_address: int | None = None
    """Declines an hour of one account from one address, after which that address waits."""
    declines_by_card: int | None = None
    """Declines an hour of one account of one card, after which that card waits."""
    declines_by_account: int | None = None
    """Declines among an account's last 100 cards of an hour that are an attack on it: from then on one decline is
    enough to wait, and payers are shown no reasons."""

    def __repr__(self) -> str:
        return f"Settings({self.home}, …)"

    def limit(self, name: str) -> int:
        """Return one of ``LIMITS`` as it was set, or by default; 0 for none."""
        given: int | None = getattr(self, name)
        if given is not None:
            return max(given, 0)
        return 0 if self.demo else LIMITS[name]

    def home_path(self) -> Path:
        """Return the home as an absolute path."""
        return Path(self.home).expanduser().absolute()


def load(environ: Mapping[str, str], **given: object) -> Settings:
    """Return the settings from an environment; what is ``given`` (command-line options, where not None) wins.

    Raises ``SettingsWrong`` naming the variable that cannot be read.
    """
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(Settings):
        named = given.get(field.name)
        if named is not None:
            values[field.name] = setting_texts.read(field, named, _option(field.name))
            continue
        variable, text = _read(environ, PREFIX + field.name.upper())
        if text is not None:
            values[field.name] = setting_texts.read(field, text, variable)
    return Settings(**values)  # type: ignore[arg-type]  # each value was read as its field's type


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable of ours that is no setting, with the name that is nearest to it."""
    names = [PREFIX + field.name.upper() for field in msgspec.structs.fields(Settings)]
    names += COMMAND_VARIABLES
    known = {*names, *(f"{name}_FILE" for name in names)}
    return [_not_a_setting(name, names) for name in sorted(environ) if name.startswith(PREFIX) and name not in known]


def _not_a_setting(name: str, names: list[str]) -> str:
    near = get_close_matches(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in names], n=1)
    return f"{name} is not a setting; did you mean {PREFIX}{near[0]}?" if near else f"{name} is not a setting."


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _read(environ: Mapping[str, str], name: str) -> tuple[str, str | None]:
    """Return a setting's text, and the variable that it came from."""
    variable = f"{name}_FILE"
    path = environ.get(variable)
    if path is None:
        return name, environ.get(name) or None
    try:
        return variable, Path(path).read_text().strip() or None
    except OSError as error:
        raise SettingsWrong(f"{variable}: the file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsWrong(f"{variable}: the file {path} is not text.") from None
