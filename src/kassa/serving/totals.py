"""The metrics of a supervisor and of its worker processes, those that have ended included, as one.

prometheus_client's multiprocess mode: each process counts in files of its own, which another one adds up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.samples import Sample

from kassa.observability.metrics import registry

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder to a process that counts in files; it has to be set before the process starts."""

_CPU: Final = "process_cpu_seconds"
_STARTED: Final = "process_start_time_seconds"
_PROCESS: Final = "process_"

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Totals:
    """What ``/metrics`` says where there are several worker processes."""

    def __init__(self, folder: Path, pids: Callable[[], Sequence[int]]) -> None:
        """Take the folder of the files, and what says which worker processes run."""
        self._folder = folder
        self._pids = pids
        self._cpu_seconds: dict[int, float] = {}
        """Of each worker process at the last look: of those that have ended it stays part of the sum."""

    def rendered(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self)  # type: ignore[no-untyped-call, unused-ignore]

    def collect(self) -> Iterable[Metric]:
        """Return the sum of what each process says."""
        own = list(registry.collect())
        mine = [family for family in own if not family.name.startswith(_PROCESS)]
        return [*_added(chain(mine, self._of_workers())), *self._of_processes(own)]

    def _of_workers(self) -> Iterable[Metric]:
        files = [str(path) for path in self._folder.glob("*.db") if _can_be_read(path)]
        found: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return found

    def _of_processes(self, own: Sequence[Metric]) -> Iterator[Metric]:
        """Yield what the system says of our process and of the others; what it does not say of all is left out."""
        workers = [_process(pid) for pid in self._pids()]
        for pid, families in zip(self._pids(), workers, strict=True):
            for seconds in (family for family in families if family.name == _CPU):
                self._cpu_seconds[pid] = seconds.samples[0].value
        for family in own:
            if not family.name.startswith(_PROCESS):
                continue
            beside = [each for families in workers for each in families if each.name == family.name]
            if len(beside) < len(workers):
                continue
            if family.name == _CPU:
                value = family.samples[0].value + sum(self._cpu_seconds.values())
                family.samples = [family.samples[0]._replace(value=value)]
                yield family
            elif family.name == _STARTED:
                yield family
            else:
                yield from _added([family, *beside])


def forget_gauges(pid: int, folder: Path) -> None:
    """Count no more what a process that has ended held open; what it has counted stays."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _process(pid: int) -> list[Metric]:
    return list(ProcessCollector(pid=lambda: pid, registry=None).collect())


def _can_be_read(path: Path) -> bool:
    """Return whether there is something in a file: one that was made this very moment is empty, or just removed."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _added(families: Iterable[Metric]) -> Iterable[Metric]:
    """Return each family once, with the sum of samples of the same name and labels."""
    found: dict[str, Metric] = {}
    sums: dict[str, dict[_Key, float]] = {}
    for family in families:
        found.setdefault(family.name, family)
        values = sums.setdefault(family.name, {})
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            values[key] = values.get(key, 0.0) + sample.value
    for name, family in found.items():
        family.samples = [Sample(sample, dict(labels), value) for (sample, labels), value in sums[name].items()]
    return found.values()
