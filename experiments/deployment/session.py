"""One deployment: processes are started, watched until the run is done, and ended."""

import pathlib
import time
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from flq_jax.remote.server import require_ideal

from ..assembly.build import Run
from ..process.address import Address
from ..process.console import tell
from ..process.errors import ConfigError
from ..reading import run_files
from . import bundle, history, serving
from .fleet import LOOPBACK, Fleet, Tls, running
from .proxy import Count, Proxy

POLL_S = 0.2


class Asked(NamedTuple):
    """What is asked for.

    Attributes:
        nodes: how many share the clients.
        deadline_s, wait_s: see `Service`.
        restarts: how often a node that ended is started again.
        elsewhere: whether nodes are started by others.
        where: what nodes connect to; port 0 is any that is free.
        tls: the link's certificate and key, and what nodes know it by; or none.
    """

    nodes: int
    deadline_s: float
    wait_s: float
    restarts: int
    elsewhere: bool
    where: Address
    tls: tuple[str, str, str]


class Played(NamedTuple):
    """What crossed the nodes' port, by path, and how many rounds were done before."""

    counts: dict[str, Count]
    before: int


def require(asked: Asked, config: ConfigDict, run: Run) -> None:
    """Raises `ConfigError` unless this run can be deployed so."""
    if asked.nodes > config.clients:
        raise ConfigError(
            f"--nodes: must be at most the {config.clients} clients, got {asked.nodes}"
        )
    if config.log.study != "none":
        raise ConfigError(
            f"config.log.study: must be none on Flower, got {config.log.study}"
        )
    try:
        require_ideal(run.federation)
    except ValueError as error:
        raise ConfigError(f"config.network: {config.network}: {error}") from error


def play(
    asked: Asked, folder: pathlib.Path, submission: pathlib.Path, home: pathlib.Path
) -> Played:
    """Plays the rounds that the folder wants.

    If the link or the server is killed, all processes are started again, and the rounds
    go on after the last one that is saved, with nodes that begin anew. Nodes elsewhere
    are not ours to start: then the run ends.

    Args:
        asked: how.
        folder: the run's.
        submission: the config, see `bundle.write`.
        home: an empty folder, Flower's.

    Returns:
        What crossed since the last such start.

    Raises:
        ConfigError: the run ended early, and why; what is finished is saved.
    """
    left = 0 if asked.elsewhere else asked.restarts
    while True:
        try:
            return _played(asked, folder, submission, home / f"start{left}")
        except _Ended as ended:
            if not left:
                raise _early(folder, str(ended)) from ended
            tell(f"{ended}; all are started again, after the last round that is saved")
            left -= 1


class _Ended(Exception):
    """The link, or the server, ended and said nothing."""


def _played(
    asked: Asked, folder: pathlib.Path, submission: pathlib.Path, home: pathlib.Path
) -> Played:
    """Plays them with one start of all processes; `_Ended` if that does not last."""
    (folder / serving.SERVING).unlink(missing_ok=True)
    bundle.write(
        home / "flq-app",
        {
            "workdir": str(folder.resolve()),
            "deadline-s": asked.deadline_s,
            "wait-s": asked.wait_s,
        },
        beside=[submission],
    )
    tls = Tls(
        *(str(pathlib.Path(path).resolve()) if path else "" for path in asked.tls)
    )
    with Fleet(home, folder / "flower", tls) as fleet:
        fleet.link()
        with Proxy(*asked.where, fleet.port) as proxy:
            reached = Address(asked.where.host, proxy.port)
            tell(f"link at {LOOPBACK}:{fleet.port}, its nodes come by {reached}")
            if asked.elsewhere:
                tell(how_to_join(asked, proxy.port))
            else:
                for number in range(asked.nodes):
                    fleet.node(number, asked.nodes, proxy.port)
            fleet.submit(home / "flq-app")
            before = watch(asked, fleet, folder, proxy.port)
            return Played(dict(proxy.counts), before)


def how_to_join(asked: Asked, port: int) -> str:
    """The command line of a node elsewhere."""
    tls = f"--root-certificates={asked.tls[2]}" if asked.tls[0] else "--insecure"
    where = Address(asked.where.host, port)
    return (
        f"for N = 0..{asked.nodes - 1}: flower-supernode {tls} --superlink={where} "
        f"--node-config 'node=N nodes={asked.nodes}'"
    )


def watch(asked: Asked, fleet: Fleet, folder: pathlib.Path, port: int) -> int:
    """Returns when the server says that it is done; starts nodes again meanwhile.

    Returns:
        How many rounds were done before it began.

    Raises:
        _Ended: the link or the server did.
        ConfigError: the server says why it can't go on.
    """
    left = dict.fromkeys(range(asked.nodes), asked.restarts)
    shown = None
    gone: set[int] = set()
    began = time.monotonic()
    while True:
        said = _said(folder)
        if said.get("begins") is not None:
            shown = _show(folder, said["begins"] if shown is None else shown)
        if said.get("ended"):
            if not said["why"]:
                return said["begins"]
            if fleet.ended("link") is None:
                raise _early(folder, said["why"])
        if (status := fleet.ended("link")) is not None:
            raise _Ended(f"the link ended, exit status {status}")
        if (
            "process" in said
            and not running(said["process"])
            and not _said(folder).get("ended")
        ):
            raise _Ended("the server ended without a word")
        if "process" not in said and time.monotonic() - began > asked.wait_s:
            raise _early(
                folder, f"the server did not start: {fleet.last_words('link')}"
            )
        for number in () if asked.elsewhere else {*left} - gone:
            if (status := fleet.ended(f"node{number}")) is None:
                continue
            again = left[number] > 0
            tell(
                f"node {number} ended, exit status {status}; "
                + ("it is started again" if again else "its clients stay silent")
            )
            if again:
                left[number] -= 1
                fleet.node(number, asked.nodes, port)
            else:
                gone.add(number)
        time.sleep(POLL_S)


def _said(folder: pathlib.Path) -> dict[str, Any]:
    try:
        return run_files.load(folder / serving.SERVING)
    except ValueError:  # it has not begun
        return {}


def _show(folder: pathlib.Path, shown: int) -> int:
    """Tells of the rounds since the last time; how many there are."""
    found = history.lines(folder)
    for line in found[shown:]:
        tell(
            f"round {line['round'] + 1}: {len(line['there'])} of {len(line['asked'])} "
            f"answered, frames {line['bytes']['up_frames']:,} bytes"
            + "".join(f"; client {m}: {why}" for m, why in line["left_out"].items())
            + f"; anew: {line['anew']}" * bool(line["anew"])
        )
    return len(found)


def _early(folder: pathlib.Path, why: str) -> ConfigError:
    done = len(history.lines(folder))
    return ConfigError(
        f"flower: {why}; {done} rounds are saved, the same command goes on from there"
    )
