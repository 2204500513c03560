"""Checkpoints that are whole or not used: orbax, and a digest of what was saved."""

import contextlib
import copy
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from flq_jax.simulation import orbax_files, processes
from flq_jax.simulation.leaves import by_path, digest, nbytes, shape, stored

KEPT = 3
# Bytes of a state beyond which it is written as it lies, and the run waits meanwhile: a
# copy that is written in the background would take as much again.
MOST_COPIED = 256 * 2**20
# Orbax takes some other characters of a path for a pattern, and loses what it saves.
PLAIN_PATH = r"[\w/.,=+@%~ -]+"


def in_background(state: Any) -> bool:
    """Whether a state, or one of these shapes, is small enough to be copied for a save."""
    return nbytes(state) <= MOST_COPIED


class NotThisRuns(ValueError):
    """The checkpoints are of other leaves than the run's state: other shapes or names."""


class Checkpoints:
    """The checkpoints of one run, by round.

    A checkpoint holds the leaves of the state, each by its path in it, and a JSON-able
    note (ledger, all rows of the metrics file), with the SHA-256 of both. Orbax writes
    it beside the others and renames it when it is complete. Of several processes each
    writes and reads its own clients' rows, all of them in one folder, and they need not
    be as many as before. Earlier versions named leaves by their position; such
    checkpoints are read so, and told.

    Args:
        folder: where they lie; made by the first `save`.
        tell: called with one line for each checkpoint that can't be used.
        reading: only look: nothing in the folder is made, moved or removed.
    """

    def __init__(
        self, folder: pathlib.Path, tell: Callable[[str], None], reading: bool = False
    ):
        self._folder = folder.absolute()
        self._tell = tell
        self._reading = reading
        self._manager: Any = None
        self._alias: tempfile.TemporaryDirectory[str] | None = None

    def save(self, round_index: int, state: Any, note: dict[str, Any]) -> None:
        """Saves `state` as of `round_index` finished rounds.

        One of up to `MOST_COPIED` bytes is copied and written in the background, a
        larger one at once.

        Raises:
            OSError: this one or one before could not be written.
        """
        # Meanwhile the buffers of `state` are donated to the next round, and the lists
        # of `note` grow.
        behind = in_background(state)
        if behind:
            state = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), state)
        leaves, note = by_path(state), copy.deepcopy(note)
        args = orbax_files.library().args
        composite = args.Composite(
            state=args.StandardSave(stored(leaves)),
            note=args.JsonSave(
                {
                    "note": note,
                    "state_sha256": digest(leaves),
                    "sha256": digest(leaves, note),
                }
            ),
        )
        with orbax_files.writing():
            self._open().save(round_index, args=composite, force=True)
            if not behind:
                self._open().wait_until_finished()

    def restore(self, like: Any) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest checkpoint that is whole.

        Args:
            like: a state of the same shapes, on the devices where it shall lie.

        Returns:
            (finished rounds, state, note), or None if there is no whole checkpoint.
            Newer ones are told, and set aside in `broken_checkpoints`, beside their
            folder, unless this is only to look.

        Raises:
            NotThisRuns: none is this state's, and some are another's; nothing is moved.
        """
        found, useless = None, {}
        for round_index in self._rounds():
            found, error = self._agreed(round_index, like)
            if found is not None:
                break
            useless[round_index] = error
        others = [e for e in useless.values() if isinstance(e, NotThisRuns)]
        if found is None and others:
            raise others[0]
        for broken, error in useless.items():
            self._tell(
                f"checkpoint of round {broken} is broken and "
                f"{'left out' if self._reading else 'was set aside'} ({error})"
            )
            if not self._reading:
                self._set_aside(broken)
        return None if found is None else (round_index, *found)

    def close(self) -> None:
        """Waits until what was saved is on disk; OSError if it can't be written."""
        manager, self._manager = self._manager, None
        if manager is not None:
            with orbax_files.writing():
                try:
                    manager.wait_until_finished()
                finally:
                    manager.close()
        if self._alias is not None:
            self._alias.cleanup()
            self._alias = None

    def _rounds(self) -> Iterator[int]:
        if not self._folder.is_dir():
            return iter(())
        names = [path.name for path in self._folder.iterdir()]
        return iter(sorted((int(n) for n in names if n.isdigit()), reverse=True))

    def _agreed(self, round_index: int, like: Any) -> tuple[tuple | None, Exception]:
        """((state, note) or None, why not): the same for each of several processes."""
        found: Any = None
        error: Exception = ValueError("another process cannot read it")
        try:
            with orbax_files.unheard():
                found = self._read(round_index, like)
        except NotThisRuns as other:
            error = other
        except Exception as broken:  # noqa: BLE001 a broken file may raise anything
            lines = str(broken).splitlines() or [type(broken).__name__]
            error = ValueError(lines[0][:120])
        if processes.any_of_us(isinstance(error, NotThisRuns)):
            if not isinstance(error, NotThisRuns):
                error = NotThisRuns("the checkpoints are not this run's")
            return None, error
        if processes.any_of_us(found is None):
            return None, error
        leaves, note = found
        same = note["sha256"] == digest(leaves, note["note"])
        if processes.any_of_us(not same):
            return None, ValueError("its SHA-256 is not the one it was saved with")
        state = jax.tree.unflatten(jax.tree.structure(like), [x for _, x in leaves])
        return (state, note["note"]), error

    def _read(self, round_index: int, like: Any) -> tuple[list, dict[str, Any]]:
        """(named leaves, note), unless its shapes are others."""
        args, folder = orbax_files.library().args, self._plain_path() / str(round_index)
        for path in folder.rglob("*"):
            if not path.is_file() and not path.is_dir():  # a FIFO would be waited for
                raise ValueError(f"{path.name} is no regular file")
        there = orbax_files.shapes_there(folder / "state")
        leaves = by_path(like)
        if there and all(re.fullmatch(r"leaf\d{4}", name) for name in there):
            leaves = [(f"leaf{i:04d}", leaf) for i, (_, leaf) in enumerate(leaves)]
        here = {k: shape(leaf) for k, leaf in stored(leaves).items()}
        if differ := [k for k in here | there if here.get(k) != there.get(k)]:
            name = differ[0]
            raise NotThisRuns(
                f"the checkpoint of round {round_index} in {self._folder} is "
                f"not this run's: {name} is {there.get(name, 'missing')} there, "
                f"{here.get(name, 'missing')} here; another config or version left it"
            )
        wanted = {
            name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
            for name, leaf in stored(leaves).items()
        }
        # Not by the manager, which reads all checkpoints, and none if one is damaged.
        found: Any = orbax_files.reader().restore(
            folder,
            args=args.Composite(
                state=args.StandardRestore(wanted), note=args.JsonRestore()
            ),
        )
        if leaves[0][0] == "leaf0000":
            self._tell(
                f"checkpoint of round {round_index}: leaves by position, as of old"
            )
        if not isinstance(found.note, dict) or not {"note", "sha256"} <= {*found.note}:
            raise ValueError(f"its note is none: {found.note!r:.40}")
        # Orbax stores no arrays without entries; there is nothing to restore in them.
        return [(k, found.state.get(k, leaf)) for k, leaf in leaves], found.note

    def _set_aside(self, round_index: int) -> None:
        self.close()
        if not processes.first_of_us():
            return
        aside = self._folder.parent / "broken_checkpoints"
        aside.mkdir(exist_ok=True)
        shutil.rmtree(aside / str(round_index), ignore_errors=True)
        (self._folder / str(round_index)).rename(aside / str(round_index))

    def _open(self):
        if self._manager is None:
            orbax, path = orbax_files.library(), self._plain_path()
            options = orbax.CheckpointManagerOptions(max_to_keep=KEPT, create=True)
            with contextlib.suppress(Exception):  # a broken file may raise anything
                self._manager = orbax.CheckpointManager(path, options=options)
            if processes.any_of_us(self._manager is None):
                self._mend(path)
                self._manager = orbax.CheckpointManager(path, options=options)
        return self._manager

    def _mend(self, path: pathlib.Path) -> None:
        """Sets aside what Orbax noted of a checkpoint, and can't read: its times.

        It opens none of them with it; what they hold is read without.
        """
        for round_index in self._rounds():
            noted = path / str(round_index) / "_CHECKPOINT_METADATA"
            try:
                orbax_files.reader().metadata(noted.parent)
            except Exception:  # noqa: BLE001 likewise
                if processes.first_of_us() and noted.exists():
                    noted.rename(noted.with_name("broken_metadata"))
                self._tell(f"checkpoint of round {round_index}: {noted.name} is broken")
        processes.any_of_us(False)  # all wait for the first

    def _plain_path(self) -> pathlib.Path:
        """The folder's path, or another one that leads there and is no pattern."""
        if re.fullmatch(PLAIN_PATH, str(self._folder)):
            return self._folder
        if self._alias is not None:
            return pathlib.Path(self._alias.name) / "checkpoints"
        self._folder.mkdir(parents=True, exist_ok=True)
        alias = self._alias = tempfile.TemporaryDirectory(prefix="flq_jax-")
        path = pathlib.Path(alias.name) / "checkpoints"
        path.symlink_to(self._folder, target_is_directory=True)
        return path
