"""Roles: the parts of Kassa that one process runs, their ports, and the addresses of those that others run."""

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum, auto
from typing import Final

import msgspec

from kassa.config import Settings
from kassa.errors import SettingsWrong
from kassa.serving.listening import bind, port_of


class Role(StrEnum):
    """A part of Kassa that can be a process of its own."""

    API = auto()
    """The APIs, the checkout, the providers' notifications and, in demo mode, the demo shop."""
    GATE = auto()
    """The card pages."""
    BANK = auto()
    """The fake bank of the test world."""
    WORKER = auto()
    """The work that is due."""


ADDRESSED: Final = (Role.API, Role.GATE, Role.BANK)
"""Those that listen, in the order of their ports."""

_WHERE: Final = {Role.API: "base_url", Role.GATE: "gate_url", Role.BANK: "bank_url"}
_CALLED: Final = {Role.API: "the API", Role.GATE: "the card gate", Role.BANK: "the fake bank"}


def chosen(only: Sequence[Role], *, demo: bool) -> frozenset[Role]:
    """Return what a process runs: what was asked for, else everything, with the fake bank in demo mode alone."""
    return frozenset(only or Role) - (set() if only or demo else {Role.BANK})


def check_addresses(settings: Settings, roles: frozenset[Role]) -> None:
    """Refuse to run without the address of a part that runs elsewhere: what we write would lead nowhere.

    Raises ``SettingsWrong``.
    """
    needed = [role for role in ADDRESSED if role not in roles and (role is not Role.BANK or settings.demo)]
    missing = [role for role in needed if not getattr(settings, _WHERE[role])]
    if missing:
        variables = " and ".join(f"KASSA_{_WHERE[role].upper()}" for role in missing)
        raise SettingsWrong(f"Set {variables}: {' and '.join(_CALLED[role] for role in missing)} will run elsewhere.")


class Sockets(msgspec.Struct, frozen=True, kw_only=True):
    """The ports that we hold."""

    roles: Mapping[Role, socket.socket]
    health: socket.socket


@contextlib.contextmanager
def take(settings: Settings, roles: frozenset[Role]) -> Iterator[Sockets]:
    """Take every port, before anything else starts, and let go in the end. Raises ``PortTaken``, ``SettingsWrong``."""
    ports = (settings.port, settings.gate_port, settings.bank_port)
    variables = ("KASSA_PORT or --port", "KASSA_GATE_PORT", "KASSA_BANK_PORT")
    taken, port = {}, 0
    with contextlib.ExitStack() as stack:
        for role, own, variable in zip(ADDRESSED, ports, variables, strict=True):
            port = _after(port) if own is None else own
            if role in roles:
                taken[role] = stack.enter_context(bind(settings.host, port, variable))
        # With several processes on a machine, only their operator can say which is watched where.
        alone = roles >= {Role.API, Role.GATE, Role.WORKER}
        following = _after(port) if alone else 0
        health_port = following if settings.health_port is None else settings.health_port
        health = stack.enter_context(bind(settings.health_host, health_port, "KASSA_HEALTH_PORT", "KASSA_HEALTH_HOST"))
        yield Sockets(roles=taken, health=health)


def resolved(settings: Settings, sockets: Sockets) -> Settings:
    """Return the settings with the URLs that follow from the ports, where the operator gave no others."""
    urls = {_WHERE[role]: address(settings.host, taken) for role, taken in sockets.roles.items()}
    given = {name: text.rstrip("/") for name in _WHERE.values() if (text := getattr(settings, name))}
    return msgspec.structs.replace(settings, **(urls | given))


def addressed(settings: Settings) -> Settings:
    """Return the settings with the URLs of a Kassa that serves by them, for a command that runs beside it."""
    gate_port = settings.port + 1 if settings.gate_port is None else settings.gate_port
    return msgspec.structs.replace(
        settings,
        base_url=(settings.base_url or _url(settings.host, settings.port)).rstrip("/"),
        gate_url=(settings.gate_url or _url(settings.host, gate_port)).rstrip("/"),
    )


def address(host: str, taken: socket.socket) -> str:
    """Return how a program on this machine reaches a port that was taken on a host."""
    return _url(host, port_of(taken))


def _url(host: str, port: int) -> str:
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104  # asked about, not listened on
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _after(port: int) -> int:
    return port + 1 if port else 0
