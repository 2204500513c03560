"""Deployments by the command that users give, and what is left of them."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import uuid

from running import ROOT

MARK = "FLQ_JAX_TEST"
PATIENCE_S = 600.0  # a busy machine starts a process of Flower in half a minute
QUICK = [
    "--config.data=synthetic()",
    "--config.client=gradient(batch=20)",
    "--config.log.every=2",
    "--config.rounds=3",
]


class Deployment:
    """`flq deploy` of a shipped config on synthetic data, and all that it starts.

    Args:
        name: of the config.
        workdir: the run's folder.
        options: further ones.
        environment: further variables.
    """

    def __init__(self, name, workdir, *options, **environment):
        self.mark = uuid.uuid4().hex
        self.environment = os.environ | environment | {MARK: self.mark}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "experiments.deploy"),
                *(f"--config=configs/{name}.py", f"--workdir={workdir}", *QUICK),
                *options,
            ],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        self.lines.extend(iter(self.process.stdout.readline, ""))

    @property
    def text(self):
        """What it has said so far."""
        return "".join(self.lines)

    def until(self, pattern):
        """The match in what it says; it is waited for."""
        end = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < end, f"no {pattern} in:\n{self.text}"
            assert self.process.poll() is None, f"ended without {pattern}:\n{self.text}"
            time.sleep(0.1)
        return found

    def processes(self, *words):
        """Numbers of those that it started, whose command line has these words."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                own = f"{MARK}={self.mark}".encode()
                if own in (path / "environ").read_bytes().split(b"\0"):
                    line = (path / "cmdline").read_bytes().decode("utf-8", "replace")
                    if all(word in line for word in words):
                        found.append(int(path.name))
        return found

    def end(self):
        """Its exit status."""
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def is_gone(self):
        """Whether it leaves nothing behind: no process, no port."""
        end = time.monotonic() + 60.0
        while self.processes() and time.monotonic() < end:
            time.sleep(0.1)
        ports = self.ports
        return bool(ports) and not self.processes() and not any(map(_open, ports))

    @property
    def ports(self):
        """Those that it has told of."""
        return re.findall(r"127\.0\.0\.1:(\d+)", self.text)


def _open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
