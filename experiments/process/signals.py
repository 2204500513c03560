"""Signals that ask for an end: a question that a loop may ask, and an end elsewhere."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from . import console

# Ctrl-C, what ends a process, a terminal that is gone, and what batch systems send when
# the time is nearly over: USR1 and USR2 (Slurm, LSF, SGE), XCPU (a limit of CPU time).
SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
# Only these say by coming again that they will not wait: a terminal that closes sends
# SIGHUP twice by itself, a limit of CPU time SIGXCPU every second.
IMPATIENT = signal.SIGINT, signal.SIGTERM


class Interrupted(BaseException):
    """A signal ended the run early; what it had finished is in a checkpoint.

    Args:
        name: the signal's.
        rounds: finished rounds; None if it came outside of the loop over rounds.
        where: what is told then.
    """

    def __init__(
        self,
        name: str,
        rounds: int | None = None,
        where: str = "outside of its rounds, nothing is lost",
    ):
        if rounds is not None:
            where = f"after round {rounds}, which is saved"
        super().__init__(f"{name}: stopped {where}")
        self.status = 128 + signal.Signals[name]


@contextlib.contextmanager
def ending(command: str) -> Iterator[None]:
    """Within it, `SIGNALS` end the program with the command to go on with.

    They do so at once where no `Interrupt` asks for them. The exit status is 128 and
    the signal's number.
    """

    def stop(number, frame) -> NoReturn:
        del frame
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in heeded()}
    try:
        yield
    except Interrupted as interrupted:
        for number in before:  # that it comes again does not cut off what is told
            signal.signal(number, signal.SIG_IGN)
        console.tell(f"{interrupted}; go on with: {command}")
        sys.exit(interrupted.status)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heeded() -> list[signal.Signals]:
    """Those of `SIGNALS` that whoever started this process has not told it to ignore.

    `nohup` does so with SIGHUP. SIGINT is heeded all the same: a shell has commands in
    the background ignore the terminal's, and this one is another's.
    """
    return [
        number
        for number in SIGNALS
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
    ]


class Interrupt:
    """Within it, the first of `SIGNALS` sets `requested`.

    A second one that is `IMPATIENT` does not wait: it raises `Interrupted`.
    """

    def __init__(self):
        self.requested = ""
        self._before = {}

    def __enter__(self):
        for number in heeded():
            self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *exception):
        self._restore()

    def _request(self, number, frame):
        del frame
        self.requested = signal.Signals(number).name
        for again in self._before:
            hears = self._at_once if again in IMPATIENT else signal.SIG_IGN
            signal.signal(again, hears)

    def _at_once(self, number, frame) -> NoReturn:
        del frame
        where = "at once, on a second signal; what was not saved is lost"
        raise Interrupted(signal.Signals(number).name, where=where)

    def _restore(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
