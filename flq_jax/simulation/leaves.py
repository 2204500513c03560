"""The leaves of a state by name: their types, and a digest of what they hold."""

import hashlib
import json
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding

from flq_jax.simulation import processes


def by_path(tree: Any) -> list[tuple[str, jax.Array]]:
    """A tree's leaves, each with its path: ".opt_state[0].mu"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]


def stored(leaves: list[tuple[str, Any]]) -> dict[str, Any]:
    """Those that have entries: Orbax stores no others."""
    return {name: leaf for name, leaf in leaves if leaf.size}


def shape(leaf: Any) -> str:
    """An array's type: "float32[2, 3]"."""
    return f"{np.dtype(leaf.dtype).name}[{', '.join(map(str, leaf.shape))}]"


def nbytes(tree: Any) -> int:
    """Bytes of all arrays in a tree, or of such shapes."""
    leaves = jax.tree.leaves(tree)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def digest(
    leaves: list[tuple[str, jax.Array]], note: dict[str, Any] | None = None
) -> str:
    """SHA-256 of the note and of all leaves by name, of clients' by their rows' SHA-256.

    Names that are positions are left out, as they were.
    """
    told = hashlib.sha256(json.dumps(note, sort_keys=True).encode())
    for name, leaf in sorted(leaves, key=lambda pair: pair[0]):
        label = "" if name.startswith("leaf") else name
        told.update(f"{label}{leaf.dtype}{leaf.shape}".encode())
        spread = isinstance(leaf.sharding, NamedSharding) and any(leaf.sharding.spec)
        told.update(_row_digests(leaf) if spread else _bytes(np.asarray(leaf)))
    return told.hexdigest()


def _row_digests(leaf: jax.Array) -> bytes:
    """The SHA-256 of each row along the leading axis, wherever it lies."""
    parts = sorted(leaf.addressable_shards, key=lambda part: part.index[0].start or 0)
    rows = [row for part in parts for row in np.asarray(part.data)]
    digests = b"".join(hashlib.sha256(_bytes(row)).digest() for row in rows)
    return processes.gathered(np.frombuffer(digests, np.uint8)).tobytes()


def _bytes(array: np.ndarray) -> memoryview:
    """What an array holds, without a copy where it lies in one piece."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
