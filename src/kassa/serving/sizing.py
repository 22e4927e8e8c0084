"""How many worker processes run here, and how many connections to the database each of them may open."""

import math
import os
from pathlib import Path
from typing import Final

import msgspec

from kassa.config import Settings
from kassa.db import contact, queries
from kassa.db.pool import PoolSizes, answering
from kassa.errors import SettingsWrong
from kassa.serving.roles import Role

SHARED: Final = frozenset({Role.API, Role.GATE, Role.WORKER})
"""What several worker processes do side by side; the fake bank and the demo shop are one."""
SUPERVISOR: Final = PoolSizes(app=3, view=1)
"""The connections of the process that starts the others."""
FREE_CONNECTIONS: Final = 10
"""Connections left to migrations, ``kassa`` commands, backups and operators."""
CONNECTIONS_MIN: Final = 6
"""What a worker process needs: with less, its requests wait for each other."""
CONNECTIONS_GOOD: Final = 12
"""What a worker process is given at least where their number is ours to choose."""

_CPU_MAX: Final = Path("/sys/fs/cgroup/cpu.max")


def cores(cpu_max: Path = _CPU_MAX) -> int:
    """Return how many cores this process may use, a container's share of them rounded up."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text().split()
        return max(1, min(usable, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        # No control groups here, or "max": no limit.
        return usable


def wanted_workers(settings: Settings, roles: frozenset[Role]) -> int:
    """Return how many worker processes should share the roles: as set, else one for each core, one for a demo."""
    if not roles & SHARED:
        return 1
    if settings.workers is not None:
        return settings.workers
    return 1 if settings.demo else cores()


def connections_needed(workers: int) -> int:
    """Return the ``max_connections`` of a server on which every pool may grow to its full size."""
    supervisor = SUPERVISOR.total if workers > 1 else 0
    return workers * PoolSizes().total + supervisor + FREE_CONNECTIONS + 3  # PostgreSQL keeps three for superusers


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How many worker processes run, and how many connections each of them may open."""

    workers: int
    sizes: PoolSizes

    def __str__(self) -> str:
        return f"{self.workers}, each with up to {self.sizes.total} connections to the database"


def fitted(connections: int, wanted: int, *, fixed: bool) -> Plan:
    """Return a plan for a server that takes so many connections: of fewer processes, unless their number is ``fixed``.

    Raises ``SettingsWrong`` when the connections are too few for so many processes.
    """
    workers = wanted if fixed else min(wanted, max(1, _left(connections, wanted) // CONNECTIONS_GOOD))
    each = min(_left(connections, workers) // workers, PoolSizes().total)
    if each < CONNECTIONS_MIN:
        needed = workers * CONNECTIONS_MIN + connections - _left(connections, workers)
        raise SettingsWrong(
            f"The database takes {connections} connections, and {needed} are needed for KASSA_WORKERS={workers}: "
            "raise max_connections in PostgreSQL, or set a lower KASSA_WORKERS or --workers."
        )
    view = each // 3
    return Plan(workers=workers, sizes=PoolSizes(app=each - view, view=view))


async def plan(settings: Settings, url: str, wanted: int) -> Plan:
    """Return how many worker processes run, so that all of their connections fit into ``max_connections``.

    Raises ``SettingsWrong``, ``DatabaseUnusable``, ``DatabaseUnavailable``.
    """
    return fitted(await _connections(url), wanted, fixed=settings.workers is not None)


def _left(connections: int, workers: int) -> int:
    """Return what is left to worker processes."""
    return connections - FREE_CONNECTIONS - (SUPERVISOR.total if workers > 1 else 0)


async def _connections(url: str) -> int:
    with answering():
        connection = await contact.connect(url, server_settings={"application_name": "kassa"})
        try:
            return await queries.connections_max(connection)
        finally:
            await connection.close(timeout=5)
