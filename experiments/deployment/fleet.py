"""Flower's processes: one link, some nodes, and their end with ours.

They run offline: no telemetry, no look for updates, nothing installed while they run. Each
is started by `guard`, so that it ends when we do, be it by `kill -9`; those that Flower
starts itself watch their parents. What is left at the end, as a worker whose node was
killed, is known by a variable of its environment, and ended: by us, or by `sweeper`.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from ..process import children
from ..process.errors import ConfigError

OFFLINE = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
}
LOOPBACK = "127.0.0.1"
FLEET = "FLQ_JAX_FLEET"  # of which deployment a process is: its folder
START_S = 240.0  # so long the link may take to listen, and to take the app; if busy
END_S = 15.0  # so long processes may take to end when told to


class Tls(NamedTuple):
    """Files for a link that others than this machine reach; all empty on loopback.

    Attributes:
        certificate, key: the link's.
        authority: the certificate by which nodes know it.
    """

    certificate: str = ""
    key: str = ""
    authority: str = ""

    def of_link(self) -> list[str]:
        """The link's options."""
        if not self.certificate:
            return ["--insecure"]
        return [
            f"--ssl-certfile={self.certificate}",
            f"--ssl-keyfile={self.key}",
            f"--ssl-ca-certfile={self.authority}",
        ]

    def of_node(self) -> list[str]:
        """A node's options."""
        if not self.certificate:
            return ["--insecure"]
        return [f"--root-certificates={self.authority}"]


def free_port() -> int:
    """A port of this machine at which nobody listens now."""
    with socket.create_server((LOOPBACK, 0)) as server:
        return server.getsockname()[1]


class Fleet:
    """The processes of a deployment on this machine; to be entered.

    Args:
        home: Flower's folder, made by the caller; its logs lie in `logs`.
        logs: a folder.
        tls: see `Tls`.
    """

    def __init__(self, home: pathlib.Path, logs: pathlib.Path, tls: Tls):
        self._home, self._logs, self._tls = home, logs, tls
        self._started: dict[str, subprocess.Popen] = {}
        self._opened = contextlib.ExitStack()
        self.port = free_port()

    def __enter__(self) -> "Fleet":
        self._logs.mkdir(parents=True, exist_ok=True)
        sweeper = [sys.executable, "-m", "flq_jax.experiments.deployment.sweeper"]
        self._sweeper = subprocess.Popen(
            [*sweeper, str(self._home)], stdin=subprocess.PIPE, start_new_session=True
        )
        return self

    def __exit__(self, *exception) -> None:
        nodes = [p for name, p in self._started.items() if name != "link"]
        end([p.pid for p in nodes])
        end([p.pid for p in self._started.values()])
        end(members(self._home))
        for process in self._started.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
        self._sweeper.communicate()
        self._opened.close()

    def link(self, host: str = LOOPBACK) -> None:
        """Starts the link and waits until it listens; `ConfigError` if it does not."""
        where = [f"--host={host}", f"--port={self.port}"]
        command = ["flower-superlink", *self._tls.of_link(), *where]
        command += ["--disable-runtime-dependency-installation"]
        self._start("link", command)
        end_s = time.monotonic() + START_S
        while not _listens(self.port):
            if self.ended("link") is not None or time.monotonic() > end_s:
                raise ConfigError(f"flower-superlink: {self.last_words('link')}")
            time.sleep(0.1)

    def node(self, number: int, of: int, port: int) -> None:
        """Starts a node, which works for its share of the clients."""
        command = ["flower-supernode", *self._tls.of_node()]
        command += [f"--superlink={LOOPBACK}:{port}"]
        command += [f"--host={LOOPBACK}", f"--port={free_port()}"]
        command += ["--node-config", f"node={number} nodes={of}"]
        self._start(f"node{number}", command)

    def submit(self, app: pathlib.Path) -> None:
        """Hands the app to the link, which starts its server; `ConfigError` if not."""
        lines = ["[superlink]", 'default = "here"', "", "[superlink.here]"]
        lines += [f'address = "{LOOPBACK}:{self.port}"']
        if self._tls.certificate:
            lines += [f'root-certificates = "{self._tls.authority}"']
        else:
            lines += ["insecure = true"]
        (self._home / "config.toml").write_text(
            "\n".join(lines) + "\n", encoding="utf-8"
        )
        try:
            found = subprocess.run(
                [_tool("flwr"), "run", str(app), "here"],
                env=os.environ | self._environment(),
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=START_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ConfigError(f"flwr run: took longer than {START_S:g} s") from error
        if found.returncode:
            words = " ".join((found.stderr or found.stdout).split())
            raise ConfigError(f"flwr run: {words:.300}")

    def ended(self, name: str) -> int | None:
        """The exit status of a process, or None while it runs."""
        return self._started[name].poll()

    def pid(self, name: str) -> int:
        """The process's number."""
        return self._started[name].pid

    def last_words(self, name: str) -> str:
        """The last line of a process's log."""
        text = (self._logs / f"{name}.log").read_text("utf-8", "replace")
        return (text.strip().splitlines() or ["it said nothing"])[-1][:300]

    def _start(self, name: str, command: Sequence[str]) -> None:
        log = self._opened.enter_context((self._logs / f"{name}.log").open("ab"))
        guard = [sys.executable, "-m", "flq_jax.experiments.deployment.guard"]
        self._started[name] = children.start(
            [*guard, _tool(command[0]), *command[1:]],
            environment=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def _environment(self) -> dict[str, str]:
        tools = str(pathlib.Path(sys.executable).parent)
        path = os.pathsep.join([tools, os.environ.get("PATH", "")])
        own = {"FLWR_HOME": str(self._home), "PATH": path, FLEET: str(self._home)}
        return OFFLINE | own


def end(pids: Sequence[int]) -> None:
    """Ends these processes of ours: by SIGTERM, and by SIGKILL if that takes too long."""
    for number, patience in ((signal.SIGTERM, END_S), (signal.SIGKILL, END_S)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        until = time.monotonic() + patience
        while any(map(running, pids)) and time.monotonic() < until:
            time.sleep(0.05)
        if not any(map(running, pids)):
            return


def _tool(name: str) -> str:
    """Flower's command, beside this Python."""
    return str(pathlib.Path(sys.executable).with_name(name))


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
        return True
    return False


def members(home: pathlib.Path) -> list[int]:
    """The processes of the deployment with that folder; on Linux."""
    mark, found = f"{FLEET}={home}".encode(), []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def running(pid: int) -> bool:
    """Whether a process has not ended; one that has, and is ours, is buried."""
    with contextlib.suppress(ChildProcessError):
        found, _ = os.waitpid(pid, os.WNOHANG)
        return not found
    with contextlib.suppress(OSError):
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        return stat.rpartition(")")[2].split()[0] != "Z"
    return False
