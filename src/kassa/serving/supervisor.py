"""Several worker processes on the same sockets: started, replaced when one ends by itself, and stopped together.

The supervisor binds the sockets once and hands them on by number, so whichever process is free accepts, and what one
that ends has not accepted another takes. Here runs what there is one of: the database, the fake bank, the health port.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from socket import socket
from typing import Final

import msgspec
import structlog

from kassa.errors import KassaError
from kassa.observability.metrics import worker_ends_total
from kassa.serving.child import READY, Order
from kassa.serving.lifetime import Stop
from kassa.serving.totals import VARIABLE, forget_gauges

STEADY_SECONDS: Final = 5.0
"""A worker process that ends sooner than this after it was ready has failed to start."""
FAILURES_MAX: Final = 5
"""So many failures of one worker process in a row end all of Kassa."""
PAUSE_SECONDS_MAX: Final = 2.0
STOP_SECONDS: Final = 18.0
"""How long a worker process may take to end. Each takes less by itself."""

_PAUSE_SECONDS: Final = 0.1

_log = structlog.get_logger(__name__)


class WorkersFailed(KassaError):
    """A worker process ends at once, again and again."""


class Supervisor:
    """The worker processes of one ``kassa serve``."""

    def __init__(self, orders: Sequence[Order], sockets: Sequence[socket], metrics: Path) -> None:
        """Take what each process is to do, the sockets to hand on, and the folder of their metrics."""
        self._orders = orders
        self._sockets = sockets
        self._metrics = metrics
        self._processes: dict[int, Process] = {}
        self._ready: set[int] = set()
        self._all_ready = asyncio.Event()
        self._stopping = asyncio.Event()

    def pids(self) -> list[int]:
        """Return the process ids of those that run."""
        return [process.pid for process in self._processes.values()]

    async def check(self) -> str:
        """Return what is wrong: as long as one process works, nothing that the outside has to know."""
        return "" if self._ready else "none is ready"

    @contextlib.asynccontextmanager
    async def running(self, stop: Stop) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Start all, wait until they are ready, and stop them at the end. Gives the tasks that must not end.

        Raises ``WorkersFailed``; so does a task.
        """
        tasks = [
            asyncio.create_task(self._keep(order), name=f"worker process {order.number}") for order in self._orders
        ]
        try:
            await self._until_ready(tasks)
            yield tasks
        finally:
            await self._stop(tasks, stop)

    async def _until_ready(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        ready = asyncio.create_task(self._all_ready.wait())
        try:
            ended, _ = await asyncio.wait({ready, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended - {ready}:
                await task
        finally:
            ready.cancel()

    async def _keep(self, order: Order) -> None:
        """Run a process, and another one whenever it ends; return when it ends because it was asked to."""
        failures = 0
        while not self._stopping.is_set():
            process = await self._spawn(order)
            ready_at = await self._wait_for_ready(order.number, process)
            status = await process.wait()
            self._forget(order.number, process)
            if self._stopping.is_set():
                return
            steady = ready_at is not None and time.monotonic() - ready_at >= STEADY_SECONDS
            failures = 0 if steady else failures + 1
            if failures == FAILURES_MAX:
                raise WorkersFailed(
                    f"Worker process {order.number} has ended {failures} times in a row right after its start, "
                    f"the last time with status {status}: the lines above say why."
                )
            worker_ends_total.inc()
            _log.warning("worker process ended, starting another", worker=order.number, status=status)
            if failures > 1:
                await asyncio.sleep(min(_PAUSE_SECONDS * 2**failures, PAUSE_SECONDS_MAX))

    async def _spawn(self, order: Order) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kassa.serving.child"),
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, VARIABLE: str(self._metrics)},
            pass_fds=[each.fileno() for each in self._sockets],
            # Away from the terminal's group, so that Ctrl-C reaches us alone and we pass it on.
            start_new_session=True,
        )
        self._processes[order.number] = process
        if process.stdin is not None:
            # The pipe stays open: its end shows the process that we are gone. One that has died already has no pipe.
            with contextlib.suppress(OSError, RuntimeError):
                process.stdin.write(msgspec.json.encode(order) + b"\n")
        return process

    async def _wait_for_ready(self, number: int, process: Process) -> float | None:
        """Return when a process was ready, or None if it ended before."""
        line = await process.stdout.readline() if process.stdout is not None else b""
        if line != READY:
            return None
        _log.info("worker process ready", worker=number, pid=process.pid)
        self._ready.add(number)
        if len(self._ready) == len(self._orders):
            self._all_ready.set()
        return time.monotonic()

    def _forget(self, number: int, process: Process) -> None:
        del self._processes[number]
        self._ready.discard(number)
        forget_gauges(process.pid, self._metrics)

    async def _stop(self, tasks: Sequence[asyncio.Task[None]], stop: Stop) -> None:
        """Ask all to stop, at once where we are asked to; who takes too long is killed."""
        self._stopping.set()
        for each in self._sockets:
            # With ours open, a port would still seem to be served when the last of them has closed it.
            each.close()
        running = list(self._processes.values())
        _send(running, signal.SIGTERM)
        hurrying = asyncio.create_task(_hurry(running, stop))
        ends = [asyncio.create_task(process.wait()) for process in running]
        if ends:
            await asyncio.wait(ends, timeout=STOP_SECONDS)
        hurrying.cancel()
        _send(running, signal.SIGKILL)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *ends, return_exceptions=True)


async def _hurry(running: Sequence[Process], stop: Stop) -> None:
    await stop.at_once.wait()
    _send(running, signal.SIGINT)


def _send(processes: Sequence[Process], number: signal.Signals) -> None:
    for process in processes:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
