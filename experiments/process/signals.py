"""Ctrl-C and SIGTERM: a question that a loop may ask, and an end where there is none."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from . import console

SIGNALS = signal.SIGINT, signal.SIGTERM


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
    """Within it, SIGINT and SIGTERM end the program with the command to go on with.

    They do so at once where no `Interrupt` asks for them. The exit status is 128 and
    the signal's number.
    """

    def stop(number, frame) -> NoReturn:
        del frame
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    except Interrupted as interrupted:
        console.tell(f"{interrupted}; go on with: {command}")
        sys.exit(interrupted.status)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupt:
    """Within it, the first SIGINT or SIGTERM sets `requested`; a second does not wait.

    It raises `Interrupted`.
    """

    def __init__(self):
        self.requested = ""
        self._before = {}

    def __enter__(self):
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *exception):
        self._restore()

    def _request(self, number, frame):
        del frame
        self.requested = signal.Signals(number).name
        for again in SIGNALS:
            signal.signal(again, self._at_once)

    def _at_once(self, number, frame) -> NoReturn:
        del frame
        where = "at once, on a second signal; what was not saved is lost"
        raise Interrupted(signal.Signals(number).name, where=where)

    def _restore(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
