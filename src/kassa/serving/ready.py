"""The ready file: what a program that started Kassa needs to know, once everything answers."""

from pathlib import Path

import msgspec

from kassa.accounts.model import Keys
from kassa.config import Settings
from kassa.db.files import write_private


class ReadyFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller who started us needs to know, once everything answers."""

    base_url: str
    gate_url: str
    bank_url: str | None
    health_url: str
    database_url: str
    account: Keys | None

    def __repr__(self) -> str:
        return f"ReadyFile({self.base_url}, …)"


def write(path: Path, settings: Settings, health_url: str, database_url: str, keys: Keys | None) -> None:
    """Write the file, for its owner alone. ``keys`` are the demo account's."""
    content = ReadyFile(
        base_url=settings.base_url or "",
        gate_url=settings.gate_url or "",
        bank_url=settings.bank_url,
        health_url=health_url,
        database_url=database_url,
        account=keys,
    )
    write_private(path.absolute(), msgspec.json.encode(content))
