"""Runs a config on Flower, here or with nodes elsewhere, and holds it to the simulation.

    python -m experiments.deploy --config=configs/mnist_ef_sign.py --nodes=2 --config.rounds=3

It starts Flower's link and `--nodes` of its nodes on this machine, plays the rounds with
them, ends all of it, and simulates what happened: the models must be equal bit for bit.
Each node works for its share of the clients, which are dealt round: Flower starts a
process for every message, so a node has one a round however many clients it works for.
The folder is that of `experiments.main`, and `rounds.jsonl` beside it has who answered.
Every round is saved: the same command goes on from there, with nodes that begin anew.

On loopback nothing is encrypted. Others reach the link by `--listen=HOST:PORT` with
`--certificate`, `--key` and `--authority` (TLS), and their nodes are started there:
`--elsewhere`, see docs/deployment.md. Needs the extra [flower].
"""

import contextlib
import importlib.util
import pathlib
import sys
import tempfile

from absl import app, flags, logging

from .options import command_line, submitted, validation
from .process import address, signals, surroundings, typed
from .process.console import tell
from .process.errors import ConfigError, one_line_errors

_NODES = flags.DEFINE_integer("nodes", 2, "Flower's nodes, at most one a client.", 1)
_DEADLINE = flags.DEFINE_float("deadline_s", 600.0, "So long a round waits.", 0.1)
_WAIT = flags.DEFINE_float("wait_s", 120.0, "So long the run waits for nodes.", 0.1)
_RESTARTS = flags.DEFINE_integer("restarts", 3, "How often a node is, or all are.", 0)
_ELSEWHERE = flags.DEFINE_bool("elsewhere", False, "Start no nodes, say how to.")
_LISTEN = flags.DEFINE_string("listen", "127.0.0.1:0", "HOST:PORT of the link; 0: any.")
_CERTIFICATE = flags.DEFINE_string("certificate", "", "The link's, a PEM file.")
_KEY = flags.DEFINE_string("key", "", "The link's, a PEM file.")
_AUTHORITY = flags.DEFINE_string("authority", "", "By which nodes know it, a PEM file.")


def main(argv: list[str]) -> None:
    """Deploys the config of the command line."""
    del argv
    logging.set_verbosity(logging.WARNING)
    folder = command_line.workdir()
    with one_line_errors():
        command_line.refuse_all_but("config", "workdir")
        if importlib.util.find_spec("flwr") is None:
            raise ConfigError("flq deploy: needs Flower, pip install 'flq_jax[flower]'")
        where = listening()
        config = command_line.one()
        validation.validate(config)
        surroundings.pin()
    with signals.ending(typed.command()):
        deploy({"": config}, folder, where)


def listening() -> address.Address:
    """Where the link is reached; `ConfigError` unless it is loopback or has TLS."""
    host, _, port = _LISTEN.value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"--listen: must be HOST:PORT, got {_LISTEN.value}")
    where = address.Address(host.strip("[]"), int(port))
    files = {"certificate": _CERTIFICATE, "key": _KEY, "authority": _AUTHORITY}
    given = [name for name, flag in files.items() if flag.value]
    if given and len(given) < len(files):
        raise ConfigError(f"--{given[0]}: takes {', '.join(files)} together")
    for name in given:
        if not pathlib.Path(files[name].value).is_file():
            raise ConfigError(f"--{name}: no such file, {files[name].value}")
    if not given and not where.is_loopback:
        raise ConfigError(
            f"--listen: must be a loopback address without --certificate, --key and "
            f"--authority, got {_LISTEN.value}"
        )
    return where


@one_line_errors(OSError)
def deploy(configs: dict, folder: pathlib.Path, where: address.Address) -> None:
    """Deploys the one run, which lies in the folder."""
    from flq_jax.data import DataError

    from .assembly.build import build
    from .deployment import report, session
    from .engine import sweep, taking
    from .process import compilation_cache

    compilation_cache.keep()
    with one_line_errors(DataError), contextlib.ExitStack() as held:
        surroundings.require_devices()
        (job,) = sweep.prepared(configs, folder)
        if reason := taking.hold(job, held):
            raise ConfigError(reason)
        run = build(job.config, job.dataset)
        asked = session.Asked(
            nodes=_NODES.value,
            deadline_s=_DEADLINE.value,
            wait_s=_WAIT.value,
            restarts=_RESTARTS.value,
            elsewhere=_ELSEWHERE.value,
            where=where,
            tls=(_CERTIFICATE.value, _KEY.value, _AUTHORITY.value),
        )
        session.require(asked, job.config, run)
        waiting = submitted.Submission(
            **command_line.origin(),
            file=str(pathlib.Path(command_line.file()).resolve()),
            configs={"": job.config},
            digests={"": job.dataset.digest},
        )
        file = submitted.write(waiting, folder)
        played = session.Played({}, 0)
        if sweep.finished(job):
            tell(f"{folder}: all {job.config.rounds} rounds are done")
        else:
            with tempfile.TemporaryDirectory(prefix="flq_jax-flower-") as home:
                played = session.play(asked, folder, file, pathlib.Path(home))
        if not report.show(run, folder, *played):
            sys.exit(1)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse)
