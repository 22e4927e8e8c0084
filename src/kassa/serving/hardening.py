"""The process: no copy of a memory that holds card numbers is left (P10), files do not run out, garbage waits."""

import ctypes
import gc
import resource
import sys

FILES_MAX = 8192
"""Open files, of which connections are the most, that a process asks the system for."""

GARBAGE_MIN = 10_000
"""How many more objects there are than before when the collector of garbage looks at the young ones."""

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """Write no core file when the process crashes, and let no other process of the same user read its memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def open_files() -> int:
    """Take as many open files as the system gives, up to ``FILES_MAX``, and return how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = FILES_MAX if hard == unlimited else min(FILES_MAX, hard)
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return FILES_MAX if soft == unlimited else soft


def collect_seldom() -> None:
    """Let the collector of garbage leave alone what is there to stay, and come once in many requests.

    Called when all has started. Almost nothing that a request makes is in a cycle; it took 5 % of the time to find out.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_MIN)
