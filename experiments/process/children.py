"""Processes that this one starts, on cores of their own, and that end when it does."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

PARENT = "FLQ_JAX_PARENT"  # the process that started this one
ENDED = signal.SIGUSR1  # it may come for each thread of the parent: see `signals`
_PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>


def start(
    command: Sequence[str],
    cores: Collection[int] = (),
    deaf_to: Iterable[signal.Signals] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
    **options,
) -> subprocess.Popen:
    """Starts a command; it ends with us if it calls `end_with_parent`.

    What it inherits is set here for the moment of its start, for the programs that
    could set it there (`taskset`, `env --ignore-signal`) are not everywhere.

    Args:
        command: the command.
        cores: those that it is bound to, where the system can; none: ours.
        deaf_to: signals that never reach it.
        environment: variables beside ours, or in the place of those.
        options: of `subprocess.Popen`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, deaf_to)
    bound = bool(cores) and hasattr(os, "sched_setaffinity")
    ours = cores_here() if bound else []
    try:
        if bound:
            os.sched_setaffinity(0, cores)  # of this thread
        env = os.environ | environment | {PARENT: str(os.getpid())}
        return subprocess.Popen(command, env=env, **options)
    finally:
        if bound:
            os.sched_setaffinity(0, ours)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cores_here() -> list[int]:
    """The cores that this process may use; all there are where no system tells."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def end_with_parent() -> None:
    """Has `ENDED` come when the process that started this one by `start` has ended.

    However that ends, be it by `kill -9`. On Linux; nothing without such a parent.
    """
    parent = os.environ.pop(PARENT, "")
    if not parent.isdecimal() or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ENDED)
    if os.getppid() != int(parent):  # it has ended before it was watched
        os.kill(os.getpid(), ENDED)
