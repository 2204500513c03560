"""A run's folder: one config, and no other."""

import ast
import contextlib
import fcntl
import json
import os
import pathlib
import platform
from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from flq_jax.expressions.expression import ExpressionError, parse
from flq_jax.expressions.modules import digests

from ..assembly.composition import canonical_texts
from ..options.names import flatten
from ..options.parts import PARTS, trees
from ..process import console
from ..process.errors import ConfigError
from ..process.whole_files import write_json
from ..reading import run_files

OWN = "own_modules"  # of a run's config file


class InUse(ConfigError):
    """Another process has the run's folder."""


class Damaged(ConfigError):
    """The folder's config can't be read."""


def resolve(config: ConfigDict) -> dict[str, Any]:
    """The config as plain JSON values: expressions in their one way, and their modules.

    What `config.let` names is in the expressions, and "own_modules" has the SHA-256 of
    each module of the researcher's own that they name.
    """
    options = config.to_dict() | canonical_texts(config)
    del options["let"]
    return json.loads(json.dumps(options)) | {OWN: own_digests(config)}


def own_digests(config: ConfigDict) -> dict[str, str]:
    """The SHA-256 of each module of their own that the config's expressions name."""
    try:
        return digests(trees(config).values())
    except ExpressionError as error:
        raise ConfigError(f"config: {error}") from error


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """A line for each option that differs: "config.seed: 0 there, 1 here"."""
    there, here = flatten(old), flatten(new)
    return [
        f"config.{name}: {there.get(name)!r} there, {here.get(name)!r} here"
        for name in sorted(there | here)
        if there.get(name) != here.get(name)
    ]


def prepare(workdir: pathlib.Path, config: ConfigDict) -> None:
    """Makes the folder, and makes it this config's or checks that it is, see `claim`.

    Raises:
        ConfigError: the folder can't be made or written to, or holds another config.
        InUse: another process has it; then nothing is touched.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        if not os.access(workdir, os.W_OK | os.X_OK):
            raise PermissionError("it is not writable")
        with held(workdir):
            claim(workdir, config)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"--workdir: can't use {workdir}: {reason}") from error


def claim(workdir: pathlib.Path, config: ConfigDict) -> None:
    """Writes `config.json`, or checks that it is this config's; for who holds the folder.

    The same config with more rounds is welcome: the run is prolonged. Not so if one of
    its expressions names them, as a schedule does. Any config is where nothing was
    computed: there is neither a line of metrics nor a checkpoint. That another one is
    replaced then is told, as is that a module of the researcher's own has changed.

    Raises:
        ConfigError: the folder holds another config.
        Damaged: there is a file for it, but it holds none.
    """
    path, new = workdir / "config.json", resolve(config)
    try:
        old = _completed(run_files.load(path)) if path.exists() else new
    except ValueError as error:
        raise Damaged(f"--workdir: {path} is no config: {error}") from error
    if isinstance(old.get("compressor"), dict):
        raise ConfigError(
            f"--workdir: {workdir} holds a run of an earlier version, whose config had "
            "options where expressions are now (config.compressor): take another --workdir"
        )
    own = old.get(OWN, {})
    if isinstance(own, dict) and own != new[OWN] and _computed(workdir):
        told = ", ".join(sorted(n for n in new[OWN] if own.get(n) != new[OWN][n]))
        console.tell(
            f"{workdir}: begun with another version of {told or 'its modules'}"
        )
        new = new | {OWN: own}
    changed = differences(old, new)
    if changed and not _prolonged(old, new):
        told = f"{'; '.join(changed[:3])}{'; ...' if changed[3:] else ''}"
        if _computed(workdir):
            raise ConfigError(
                f"--workdir: {workdir} holds a run of another config ({told}): take "
                "another --workdir"
            )
        console.tell(f"{path}: of a run that computed nothing, replaced ({told})")
    if changed or not path.exists():
        write_json(path, new)


@contextlib.contextmanager
def held(workdir: pathlib.Path) -> Iterator[None]:
    """Within it no other process has the folder; it must be there.

    It is a lock on the file `.lock`, which names the process, and ends with the process
    however that ends. Where the file system has no locks, as some NFS, the folder is
    taken for free.

    Raises:
        InUse: another one has it, or this one already.
    """
    with (workdir / ".lock").open("a+", encoding="utf-8", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise InUse(
                f"--workdir: {workdir} is in use by {file.read() or 'another process'}"
            ) from error
        except OSError:
            pass
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield


def _completed(old: dict[str, Any]) -> dict[str, Any]:
    """With the options that the first runs did not have, as they meant them."""
    log = old.get("log")
    return old | {"log": {"train_loss": 1.0} | log} if isinstance(log, dict) else old


def _computed(workdir: pathlib.Path) -> bool:
    """Whether a run has left something in the folder, beside its config."""
    log = workdir / "metrics.jsonl"
    return any((workdir / "checkpoints").glob("*")) or (
        log.exists() and log.stat().st_size > 0
    )


def _prolonged(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether `new` is `old` with more rounds, of which the earlier ones know nothing."""
    return (
        isinstance(old.get("rounds"), int)
        and old | {"rounds": 0} == new | {"rounds": 0}
        and old["rounds"] < new["rounds"]
        and not any(_names_rounds(new[part]) for part in PARTS)
    )


def _names_rounds(text: str) -> bool:
    """Whether an expression has the run's rounds; an argument of that name is its own."""
    nodes = ast.walk(parse(text))
    return any(isinstance(node, ast.Name) and node.id == "rounds" for node in nodes)
