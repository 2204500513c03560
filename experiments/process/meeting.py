"""Processes of one simulation meet before JAX joins them; each hears why, if they can't.

The first one listens where JAX's coordinator will; the others tell it who they are, and
none goes on before all are there. JAX by itself would wait for minutes, deaf to signals,
and end in an abort.
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any

from . import console
from .address import Address, reason, refusal
from .errors import ConfigError

WAIT_S = 60  # so long they wait for each other
TELL_S = 5  # and tell it as often
ANSWER_S = 2  # so long a connection may take for its line
PAUSE_S = 0.1
LONGEST = 4096  # bytes of a line
PROGRAM = "flq_jax"


def meet(where: Address, processes: int, process: int, wait_s: float = WAIT_S) -> None:
    """Returns when all processes are there, each with an index of its own.

    Args:
        where: the first process listens there, and is reached there.
        processes: how many there are.
        process: which one this is, from 0.
        wait_s: so long they wait for each other.

    Raises:
        ConfigError: the host is unknown or the port in use; they were started with
            several numbers of processes, or two with one index; some have not come.
    """
    where.interface()
    patience = Patience(wait_s)
    if process:
        _report(where, processes, process, patience)
        return
    with _listening(where) as listening, contextlib.ExitStack() as opened:
        others = _Others(where, processes, opened)
        try:
            while absent := others.absent():
                if patience.ends(f"--process={absent} at {where}"):
                    late = f"--process={absent} has not come in {wait_s:g} s"
                    raise refusal(where, late)
                others.receive(listening)
        except Exception as error:
            others.tell({"refused": str(error)})
            raise
        others.tell({"refused": ""})


class Patience:
    """Time that goes by, and is told now and then."""

    def __init__(self, wait_s: float):
        self.wait_s = wait_s
        self._begin = self._told = time.monotonic()

    def ends(self, waiting_for: str) -> bool:
        """Whether it is at its end."""
        now = time.monotonic()
        left = self._begin + self.wait_s - now
        if now - self._told >= TELL_S:
            self._told = now
            console.tell(f"waiting for {waiting_for}, at most {left:.0f} s more")
        return left <= 0


def _listening(where: Address) -> socket.socket:
    """Listens where JAX's coordinator will; so the port is tried."""
    host, port = where.interface()
    every = host == "::"
    dual = every and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual or ":" in host.strip(":") else socket.AF_INET
    try:
        listening = socket.create_server(
            ("" if every else host, port), family=family, dualstack_ipv6=dual
        )
    except OSError as error:
        raise refusal(
            where,
            f"--process=0 can't listen there: {reason(error)}; is there another "
            "program, or another --process=0?",
        ) from error
    listening.settimeout(PAUSE_S)
    return listening


class _Others:
    """The processes but the first, as it hears of them.

    Args:
        where: it listens there.
        processes: how many there are.
        opened: closes the connections.
    """

    def __init__(self, where: Address, processes: int, opened: contextlib.ExitStack):
        self._where, self._processes, self._opened = where, processes, opened
        self._there: dict[int, socket.socket] = {}
        self._refused: list[socket.socket] = []

    def absent(self) -> int:
        """The first process that is not there, or 0."""
        missing = (i for i in range(1, self._processes) if not self._has(i))
        return next(missing, 0)

    def _has(self, process: int) -> bool:
        """Whether it is there, now: one that has ended may come again."""
        if process in self._there and _has_ended(self._there[process]):
            del self._there[process]
        return process in self._there

    def receive(self, listening: socket.socket) -> None:
        """Takes the next one in, if one comes now; whoever speaks otherwise is let go.

        Raises:
            ConfigError: it has another number of processes or another one's index.
        """
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            return
        self._opened.enter_context(connection)
        until = time.monotonic() + ANSWER_S
        told = _line(connection, lambda: time.monotonic() > until) or {}
        process, processes = told.get("process"), told.get("processes")
        ours = told.get("program") == PROGRAM
        if not (ours and type(process) is type(processes) is int and process > 0):
            connection.close()
            return
        self._refused.append(connection)
        if processes != self._processes:
            why = (
                f"--processes must be the same for all, got {self._processes} of "
                f"--process=0 and {processes} of --process={process}"
            )
            raise refusal(self._where, why)
        if self._has(process):
            raise refusal(self._where, f"two processes have --process={process}")
        self._there[process] = self._refused.pop()

    def tell(self, answer: dict[str, Any]) -> None:
        """Answers all of them, and waits until they have heard."""
        for connection in [*self._there.values(), *self._refused]:
            with contextlib.suppress(OSError):
                _send(connection, answer)
                connection.settimeout(ANSWER_S)
                connection.recv(1)  # they close it first: the port is free at once


def _report(where: Address, processes: int, process: int, patience: Patience) -> None:
    """Tells the first process of this one, and waits until it says that all are there."""
    me = {"program": PROGRAM, "process": process, "processes": processes}
    with _connected(where, patience) as connection:
        with contextlib.suppress(OSError):
            _send(connection, me)
        # The first one's patience may have begun later: it is to say who has not come.
        longer = Patience(patience.wait_s + ANSWER_S)
        answer = _line(connection, lambda: longer.ends(f"the others at {where}"))
    if answer is None:
        raise refusal(where, f"no answer in {patience.wait_s:g} s")
    if not isinstance(why := answer.get("refused"), str):
        raise refusal(where, "no process of this simulation, or it has ended")
    if why:
        raise ConfigError(why)


def _connected(where: Address, patience: Patience) -> socket.socket:
    """A connection to the first process, as soon as it listens."""
    why = "no answer"
    while not patience.ends(f"--process=0 at {where}"):
        try:
            return socket.create_connection(where, ANSWER_S)
        except OSError as error:
            why = reason(error)
            time.sleep(PAUSE_S)
    late = f"--process=0 has not answered in {patience.wait_s:g} s ({why})"
    raise refusal(where, late)


def _send(connection: socket.socket, told: dict[str, Any]) -> None:
    connection.sendall(json.dumps(told).encode() + b"\n")


def _line(connection: socket.socket, late: Callable[[], bool]) -> dict[str, Any] | None:
    """What the other end tells; empty if it ends or speaks otherwise; None if late."""
    text = b""
    connection.settimeout(PAUSE_S)
    try:
        while not text.endswith(b"\n") and len(text) < LONGEST:
            if late():
                return None
            with contextlib.suppress(TimeoutError):
                if not (part := connection.recv(LONGEST)):
                    return {}
                text += part
        told = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _has_ended(connection: socket.socket) -> bool:
    connection.settimeout(0.0)
    try:
        return not connection.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True
