"""What a program has had of the processors, with all that it started, from what the system keeps of its processes."""

import contextlib

import psutil


def spent(pid: int) -> float:
    """Return the seconds that a process has had, user's and system's, with its children, living and ended.

    A child that has ended is in its parent's figures from the moment when the parent took note of it.
    """
    seconds = 0.0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds
