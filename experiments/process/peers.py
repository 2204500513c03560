"""Several processes that are one simulation, each with its own clients.

All of them run the same program on the same config; the first one writes the files.
"""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

import jax
import numpy as np

from flq_jax.simulation.processes import any_of_us, first_of_us, gathered

from . import address, meeting
from .errors import ConfigError

# A process that has been silent for so many seconds is taken for dead.
HEARTBEAT_S = 20

__all__ = [
    "any_of_us",
    "first_of_us",
    "gathered",
    "join",
    "leave",
    "require_alone",
    "signal_to_any",
    "told_by_all",
]


def join(coordinator: str, processes: int, process: int) -> None:
    """Makes this process one of several; call it before any computation.

    Args:
        coordinator: host:port of the first process, which listens there; "auto" asks
            the surroundings: Slurm, Open MPI, Kubernetes, a TPU pod.
        processes: how many there are; of no meaning with "auto".
        process: which one this is, from 0; likewise.

    Raises:
        ConfigError: they can't be joined so, or are not all there in time.
    """
    given: dict[str, Any] = {}
    if coordinator != "auto":
        where = address.parsed(coordinator)
        meeting.meet(where, processes, process)
        given["coordinator_address"] = str(where)
        given["num_processes"], given["process_id"] = processes, process
        if where.is_loopback:  # JAX would listen at every interface
            given["coordinator_bind_address"] = str(where.interface())
    # It would take SIGTERM for itself, and keep it.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        _in_time(functools.partial(jax.distributed.initialize, **given))
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"--coordinator={coordinator}: {error}") from error


def _in_time(initialize: Callable[..., None]) -> None:
    """Joins the processes in a thread: it hears no signals, and ends late in an abort.

    RuntimeError if it takes longer than `meeting.WAIT_S`.
    """
    joined: futures.Future[None] = futures.Future()

    def join_now():
        try:
            initialize(
                heartbeat_timeout_seconds=HEARTBEAT_S,
                initialization_timeout=10 * meeting.WAIT_S,
            )
            joined.set_result(None)
        except BaseException as error:  # noqa: BLE001 it is raised where it is waited for
            joined.set_exception(error)

    threading.Thread(target=join_now, daemon=True).start()
    patience = meeting.Patience(meeting.WAIT_S)
    while not futures.wait([joined], timeout=meeting.PAUSE_S).done:
        if patience.ends("the other processes"):
            raise RuntimeError(f"they are not all there after {meeting.WAIT_S} s")
    joined.result()


def require_alone(option: str, value: str) -> None:
    """Raises `ConfigError` where there are several processes: one has not all clients."""
    if jax.process_count() > 1:
        raise ConfigError(
            f"config.{option}: must be none with several processes, got {value!r}"
        )


def told_by_all(text: str) -> list[str]:
    """Every process's text, in the order of the processes; all must tell theirs."""
    mine = np.frombuffer(text.encode(), np.uint8)
    lengths = gathered(np.array([mine.size]))
    padded = np.zeros((1, int(lengths.max())), np.uint8)
    padded[0, : mine.size] = mine
    rows = gathered(padded)
    return [bytes(row[:n]).decode() for row, n in zip(rows, lengths, strict=True)]


def signal_to_any(name: str) -> str:
    """The name of a signal that came to some process, or an empty string."""
    number = signal.Signals[name].value if name else 0
    most = int(gathered(np.array([number])).max())
    return signal.Signals(most).name if most else ""


def leave(error: Exception, command: str) -> None:
    """Ends this process, one of several, in one line and without waiting for others."""
    reason = (str(error) or type(error).__name__).splitlines()[0][:200]
    print(
        f"error: process {jax.process_index()} of {jax.process_count()} cannot go on: "
        f"{reason}; another one may have ended. Start all of them again, and the run "
        f"goes on from its last checkpoint: {command}",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)  # an orderly exit would wait for the others
