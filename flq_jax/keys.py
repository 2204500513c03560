"""Random streams: every key is a function of (seed, round, stream), never state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class RoundKeys(NamedTuple):
    """Keys of one round. Appending a field changes no earlier stream.

    Each client and message has a stream of its own of `local` and `uplink`; `shared` is
    what all clients of a round draw alike, see `Broadcast`, and `last_shared` is that of
    the round before (of round 0, a key that no round has).
    """

    participation: jax.Array
    local: jax.Array
    uplink: jax.Array
    downlink: jax.Array
    channel: jax.Array
    shared: jax.Array
    last_shared: jax.Array


def seed_key(seed: int) -> jax.Array:
    """The root key of a run; it never changes while the run lasts.

    It is `jax.random.key(seed, impl="threefry2x32")`, without a program to compile.

    Args:
        seed: 0 to 2^32 - 1; OverflowError for others.
    """
    words = np.array([0, seed], np.uint32)
    # pyrefly: ignore[bad-argument-type] NumPy's words are taken too
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def init_key(root: jax.Array) -> jax.Array:
    """The key that initialises the model: of no round, hence of no round's stream."""
    return jax.random.fold_in(root, 2**31 - 1)


def cell_key(root: jax.Array) -> jax.Array:
    """The key that places the clients of a cell: of no round, as `init_key`."""
    return jax.random.fold_in(root, 2**31 - 2)


def round_keys(root: jax.Array, round_index: jax.Array | int) -> RoundKeys:
    """Derives the keys of round `round_index` from the root key.

    Two methods under one seed see the same participants, batches and channels, and
    a resumed run needs no key of its own.

    Args:
        root: the run's key, see `seed_key`.
        round_index: i32[], 0 or more.
    """
    index = jnp.asarray(round_index, jnp.int32)
    key, before = (jax.random.fold_in(root, k) for k in (index, index - 1))
    streams = [jax.random.fold_in(key, i) for i in range(len(RoundKeys._fields) - 1)]
    last_shared = jax.random.fold_in(before, RoundKeys._fields.index("shared"))
    return RoundKeys(*[*streams, last_shared])
