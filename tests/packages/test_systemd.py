"""The unit for systemd: it starts Kassa, gives it time to stop, and shuts it in."""

import re
from pathlib import Path

UNIT = (Path(__file__).parents[2] / "ops" / "systemd" / "kassa.service").read_text()
STOP_SECONDS = 20
"""How long Kassa may take to end."""


def settings(section: str) -> dict[str, list[str]]:
    """Read a section as systemd does: a name may stand more than once."""
    (text,) = re.findall(rf"^\[{section}\]\n(.*?)(?=^\[|\Z)", UNIT, re.MULTILINE | re.DOTALL)
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_it_has_three_sections_of_settings_and_nothing_else() -> None:
    assert re.findall(r"^\[(\w+)\]$", UNIT, re.MULTILINE) == ["Unit", "Service", "Install"]
    assert [line for line in UNIT.splitlines() if not re.fullmatch(r"|#.*|\[\w+\]|[A-Z]\w+=.*", line)] == []


def test_it_starts_kassa_with_its_data_where_it_may_write() -> None:
    service = settings("Service")
    assert service["ExecStart"] == ["/opt/kassa/bin/kassa serve"]
    assert service["Environment"] == [f"KASSA_HOME=/var/lib/{service['StateDirectory'][0]}"]
    assert service["EnvironmentFile"] == ["-/etc/kassa/kassa.env"]
    assert (service["User"], service["StateDirectoryMode"]) == (["kassa"], ["0700"])


def test_it_waits_for_longer_than_kassa_takes_to_end_and_leaves_the_database_to_it() -> None:
    service = settings("Service")
    assert int(service["TimeoutStopSec"][0].removesuffix("s")) > STOP_SECONDS
    assert service["KillMode"] == ["mixed"]


def test_it_is_shut_in() -> None:
    service = settings("Service")
    on = [
        *("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectClock", "ProtectHostname"),
        *("ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups"),
        *("RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "RemoveIPC"),
    ]
    assert {name: service.get(name) for name in on} == {name: ["true"] for name in on}
    assert service["ProtectSystem"] == ["strict"]
    assert service["CapabilityBoundingSet"] == [""]
    assert service["SystemCallFilter"] == ["@system-service", "~@privileged"]
