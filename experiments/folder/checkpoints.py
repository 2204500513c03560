"""Checkpoints that are whole or not used: orbax, and a digest of what was saved."""

import copy
import hashlib
import json
import logging
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from ..process import peers

KEPT = 3


class Checkpoints:
    """The checkpoints of one run, by round.

    A checkpoint holds the leaves of the state and a JSON-able note (ledger, all rows of
    the metrics file), with the SHA-256 of both. Orbax writes it beside the others and
    renames it when it is complete. Of several processes each writes and reads its own
    clients' rows, all of them in one folder, and they need not be as many as before.

    Args:
        folder: where they lie; made by the first `save`.
        tell: called with one line for each checkpoint that can't be used.
    """

    def __init__(self, folder: pathlib.Path, tell: Callable[[str], None]):
        self._folder = folder.absolute()
        self._tell = tell
        self._manager = None

    def save(self, round_index: int, state: Any, note: dict[str, Any]) -> None:
        """Saves `state`, in the background, as of `round_index` finished rounds."""
        # Copies: meanwhile the buffers of `state` are donated to the next round, and
        # the lists of `note` grow.
        leaves = [jnp.array(leaf, copy=True) for leaf in jax.tree.leaves(state)]
        note = copy.deepcopy(note)
        args = _orbax().args
        self._open().save(
            round_index,
            args=args.Composite(
                state=args.StandardSave(_named(leaves)),
                note=args.JsonSave(
                    {
                        "note": note,
                        "state_sha256": _digest(leaves),
                        "sha256": _digest(leaves, note),
                    }
                ),
            ),
            force=True,
        )

    def restore(self, like: Any) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest checkpoint that is whole.

        Args:
            like: a state of the same shapes, on the devices where it shall lie.

        Returns:
            (finished rounds, state, note), or None if there is no whole checkpoint. The
            broken ones are set aside in `broken_checkpoints`, beside their folder, and told.
        """
        for round_index in self._rounds():
            found, reason = None, ""
            try:
                found = self._read(round_index, like)
            except Exception as error:  # noqa: BLE001 a broken file may raise anything
                reason = (str(error) or type(error).__name__).splitlines()[0][:120]
            if not peers.any_of_us(found is None):
                return round_index, *found
            self._tell(
                f"checkpoint of round {round_index} is broken and was set aside "
                f"({reason or 'another process cannot read it'})"
            )
            self._set_aside(round_index)
        return None

    def close(self) -> None:
        """Waits until what was saved is on disk."""
        if self._manager is not None:
            self._manager.wait_until_finished()
            self._manager.close()
            self._manager = None

    def _rounds(self) -> Iterator[int]:
        if not self._folder.is_dir():
            return iter(())
        names = [path.name for path in self._folder.iterdir()]
        return iter(sorted((int(n) for n in names if n.isdigit()), reverse=True))

    def _read(self, round_index: int, like: Any) -> tuple[Any, dict[str, Any]]:
        args = _orbax().args
        leaves, treedef = jax.tree.flatten(like)
        shapes = [
            jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
            for leaf in leaves
        ]
        found = self._open().restore(
            round_index,
            args=args.Composite(
                state=args.StandardRestore(_named(shapes)), note=args.JsonRestore()
            ),
        )
        # Orbax stores no arrays without entries; there is nothing to restore in them.
        leaves = [
            found.state.get(f"leaf{i:04d}", leaf) for i, leaf in enumerate(leaves)
        ]
        for leaf, wanted in zip(leaves, shapes):
            if (leaf.shape, leaf.dtype) != (wanted.shape, wanted.dtype):
                raise ValueError(f"it holds {leaf.shape}, not {wanted.shape}")
        note = found.note["note"]
        if _digest(leaves, note) != found.note["sha256"]:
            raise ValueError("its SHA-256 is not the one it was saved with")
        return jax.tree.unflatten(treedef, leaves), note

    def _set_aside(self, round_index: int) -> None:
        self.close()
        if not peers.first_of_us():
            return
        aside = self._folder.parent / "broken_checkpoints"
        aside.mkdir(exist_ok=True)
        shutil.rmtree(aside / str(round_index), ignore_errors=True)
        (self._folder / str(round_index)).rename(aside / str(round_index))

    def _open(self):
        if self._manager is None:
            orbax = _orbax()
            self._manager = orbax.CheckpointManager(
                self._folder,
                options=orbax.CheckpointManagerOptions(max_to_keep=KEPT, create=True),
            )
        return self._manager


def _named(leaves: list[Any]) -> dict[str, Any]:
    return {f"leaf{i:04d}": leaf for i, leaf in enumerate(leaves) if leaf.size}


def _digest(leaves: list[jax.Array], note: dict[str, Any] | None = None) -> str:
    """SHA-256 of the note and of all leaves, those of clients by their rows' SHA-256."""
    digest = hashlib.sha256(json.dumps(note, sort_keys=True).encode())
    for leaf in leaves:
        digest.update(f"{leaf.dtype}{leaf.shape}".encode())
        spread = isinstance(leaf.sharding, NamedSharding) and any(leaf.sharding.spec)
        digest.update(_row_digests(leaf) if spread else np.asarray(leaf).tobytes())
    return digest.hexdigest()


def _row_digests(leaf: jax.Array) -> bytes:
    """The SHA-256 of each row along the leading axis, wherever it lies."""
    parts = sorted(leaf.addressable_shards, key=lambda part: part.index[0].start or 0)
    rows = [row for part in parts for row in np.asarray(part.data)]
    digests = b"".join(hashlib.sha256(row.tobytes()).digest() for row in rows)
    return peers.gathered(np.frombuffer(digests, np.uint8)).tobytes()


def _orbax():
    """Imported when first needed: it takes as long as many a run's first chunk."""
    import orbax.checkpoint

    logging.getLogger("absl").setLevel(logging.ERROR)
    return orbax.checkpoint
