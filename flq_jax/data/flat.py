"""The clients' examples one after another, each once, whatever the split."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike

from flq_jax.data.clients import ClientData, as_held

# Rows of the longest clients' arrays, as a multiple of the examples, up to which the
# stacked form is taken: it reads all that a client has without a copy.
MOST_PADDED = 1.1


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """All examples, those of a client one after another.

    On several devices they may be shared out in blocks, one a device, each as long as the
    longest: then each device has its own clients' alone.

    Attributes:
        inputs: [n, ...], as in `ClientData`.
        labels: [n, ...].
        first: which row each block begins with, i32[blocks]. A device's program that has
            its own block alone has that one's alone, too.
    """

    inputs: Any
    labels: Any
    first: Any

    @property
    def blocks(self) -> int:
        """How many they are shared out in; 1 for all in one."""
        return self.first.shape[0]

    def place(self, row: jax.Array) -> jax.Array:
        """Where a row lies in the arrays that are here."""
        return row - self.first[0]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class FlatData:
    """Clients' examples where each is held once: n rows, and not M n_max.

    It reads as a `ClientData` does: `inputs` and `labels` are made on demand, [M, n_max,
    ...], or [n_max, ...] of a shard, whose `starts` and `sizes` are numbers. Whoever
    wants a few rows takes them by `at`, which gathers them and nothing else.

    Attributes:
        pool: where the rows are; None where it goes by itself, see `apart`.
        starts: each client's first row, i32[M].
        sizes: examples of each client, i32[M].
        capacity: n_max, rows of a client's arrays.
    """

    pool: Pool | None
    starts: Any
    sizes: Any
    capacity: int = dataclasses.field(metadata={"static": True})

    @property
    def inputs(self) -> jax.Array:
        """As in `ClientData`: zeros in rows sizes[m].. of client m."""
        return self._arrays(self._pool.inputs)

    @property
    def labels(self) -> jax.Array:
        """As in `ClientData`."""
        return self._arrays(self._pool.labels)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one input."""
        return self._pool.inputs.shape[1:]

    @property
    def _pool(self) -> Pool:
        if self.pool is None:
            raise ValueError("FlatData: the pool goes by itself here, see apart")
        return self.pool

    def at(self, rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        """See `ClientData.at`."""
        # Of what is not its own it reads its last row, never what another client has.
        own = jnp.minimum(rows, jnp.maximum(self.sizes - 1, 0))
        found = self._pool.place(self.starts + own)
        labels = _taken(self._pool.labels, found)
        there = (rows < self.sizes).reshape(-1, *[1] * (labels.ndim - 1))
        labels = jnp.where(there, labels, jnp.zeros_like(labels))
        return _taken(_flat(self._pool.inputs), found), labels

    def of(self, who: jax.Array) -> "Shards":
        """See `ClientData.of`.

        Of some clients whose rows lie in blocks it is stacked: any may be wanted on
        another device.
        """
        if who.shape[0] == self.sizes.shape[0]:
            return self
        starts, sizes = self.starts[who], self.sizes[who]
        asked = dataclasses.replace(self, starts=starts, sizes=sizes)
        if self._pool.blocks == 1:
            return asked
        return ClientData(asked.inputs, asked.labels, sizes)

    def one(self, client: int) -> "FlatData":
        """See `ClientData.one`."""
        starts, sizes = self.starts[client], self.sizes[client]
        return dataclasses.replace(self, starts=starts, sizes=sizes)

    def apart(self) -> tuple[Pool | None, "FlatData"]:
        """See `ClientData.apart`."""
        return self.pool, dataclasses.replace(self, pool=None)

    def divided(self, most: int) -> "FlatData":
        """See `ClientData.divided`: no row moves."""
        parts = -(-self.capacity // most)
        size = -(-self.capacity // parts)
        before = size * jnp.arange(parts)[None]
        sizes = jnp.clip(self.sizes[:, None] - before, 0, size)
        starts = self.starts[:, None] + before
        return dataclasses.replace(
            self, starts=starts.reshape(-1), sizes=sizes.reshape(-1), capacity=size
        )

    def in_parts(self, most: int) -> "FlatData":
        """All examples as shares of at most `most`, whosever they are; no row moves."""
        pool = self._pool
        rows = pool.labels.shape[0] // pool.blocks
        held = jnp.sum(self.sizes.reshape(pool.blocks, -1), axis=1)
        return FlatData(pool, pool.first, held, rows).divided(most)

    def _arrays(self, array: jax.Array) -> jax.Array:
        number = jnp.arange(self.capacity).reshape(*[1] * np.ndim(self.sizes), -1)
        there = number < jnp.expand_dims(self.sizes, -1)
        found = self._pool.place(jnp.expand_dims(self.starts, -1) + number)
        rows = _taken(_flat(array), found)
        rows = jnp.where(there[..., None], rows, jnp.zeros_like(rows))
        return rows.reshape(*there.shape, *array.shape[1:])


Shards = ClientData | FlatData  # examples of clients, or of one


def joined(pool: Pool | None, rows: Shards) -> Shards:
    """What `apart` has taken apart, or a client's part of it."""
    if isinstance(rows, ClientData):
        return rows
    return dataclasses.replace(rows, pool=pool)


def lies_flat(sizes: Sequence[int], longest: int) -> bool:
    """Whether arrays of `longest` rows for each client would be too much padding."""
    return len(sizes) * longest > MOST_PADDED * sum(sizes)


def rows_of_block(sizes: Sequence[int], blocks: int) -> int:
    """Rows of a block: as many as the fullest needs, by steps of 1/32 to 1/16 of it.

    So most splits by other seeds have equally long ones, and share a program. One block
    is what there is.
    """
    if blocks == 1:
        return sum(sizes)
    most = int(np.sum(np.reshape(sizes, (blocks, -1)), axis=1).max())
    step = max(1, 2 ** (most.bit_length() - 5))
    return -(-most // step) * step


def flat_data(
    inputs: np.ndarray,
    labels: np.ndarray,
    parts: Sequence[np.ndarray],
    longest: int,
    dtype: DTypeLike | None = None,
    blocks: int = 1,
    rows: int = 0,
    before: int = 0,
) -> FlatData:
    """The examples by client, in numpy; the caller moves them to the device.

    Args:
        inputs, labels, parts, dtype: see `client_data`.
        longest: rows of each client's arrays, as many as the largest has, or more.
        blocks: clients in so many, equally many in each.
        rows: of a block; 0 for one that has what there is.
        before: blocks of other processes that come before these.

    Raises:
        ValueError: see `client_data`; or a block has fewer rows than its clients.
    """
    sizes, inputs_of, labels_of = as_held(inputs, labels, parts, longest, dtype)
    held = np.sum(sizes.reshape(blocks, -1), axis=1)
    rows = rows or int(held.max())
    if rows < held.max():
        raise ValueError(f"flat_data: rows must be {held.max()} or more, got {rows}")
    each = len(parts) // blocks
    first = (rows * (before + np.arange(blocks))).astype(np.int32)
    within = np.cumsum(sizes.reshape(blocks, each), axis=1) - sizes.reshape(
        blocks, each
    )
    starts = (first[:, None] + within).reshape(-1).astype(np.int32)
    groups = [np.concatenate(parts[i * each : (i + 1) * each]) for i in range(blocks)]

    def flat(array, to):
        if blocks == 1 and rows == held[0]:
            return to(array[groups[0]])
        out = np.zeros((blocks * rows, *array.shape[1:]), to(array[:1]).dtype)
        for number, group in enumerate(groups):
            out[number * rows : number * rows + len(group)] = to(array[group])
        return out

    pool = Pool(flat(inputs, inputs_of), flat(labels, labels_of), first)
    return FlatData(pool, starts, sizes, longest)


def _flat(array: jax.Array) -> jax.Array:
    """[n, ...] as [n, numbers of a row]: XLA gathers flat rows twice as fast as images."""
    return array.reshape(array.shape[0], -1)


def _taken(array: jax.Array, rows: jax.Array) -> jax.Array:
    return jnp.take(array, rows, axis=0, mode="clip")
