"""Ctrl-C and SIGTERM as a question that a loop may ask."""

import signal


class Interrupt:
    """Within it, the first SIGINT or SIGTERM sets `requested`; a second one kills."""

    def __init__(self):
        self.requested = ""
        self._before = {}

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *exception):
        self._restore()

    def _request(self, number, frame):
        del frame
        self.requested = signal.Signals(number).name
        self._restore()

    def _restore(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
