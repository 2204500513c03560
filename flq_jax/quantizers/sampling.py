"""Distinct numbers at random, without sorting: the cost is of those that are drawn."""

from functools import partial

import jax
import jax.numpy as jnp

from flq_jax.quantizers.base import require_indices

_ROUNDS = 8  # of the Feistel network; even, so that its halves return to their places


@partial(jax.jit, static_argnames=("k", "d"))
def distinct(key: jax.Array, k: int, d: int) -> jax.Array:
    """k different numbers of 0 .. d - 1, each with probability k / d.

    The first k values of a pseudorandom bijection of 0 .. d - 1, rotated at random,

        i -> (pi(i) + r) mod d,   r uniform,

    so that the probability is exact whatever pi is. pi is a Feistel network (Luby and
    Rackoff 1988) on ceil(log2 d) bits, applied again to what falls beyond d (cycle
    walking, Black and Rogaway 2002); its round function is MurmurHash3's finalizer.
    `jax.random.permutation` sorts all d instead, which takes a CPU two hundred times as
    long.

    Args:
        key: of the draw.
        k: 0 to d; ValueError otherwise.
        d: 1 to 2**31 - 1; ValueError otherwise.

    Returns:
        i32[k].
    """
    if not 0 <= k <= d:
        raise ValueError(f"distinct: k must be an integer in 0..d, got {k=} {d=}")
    require_indices("distinct", "numbers to draw from", d)
    keys = jax.random.split(key)
    bits = max((d - 1).bit_length(), 2)
    round_keys = jax.random.bits(keys[0], (_ROUNDS,), jnp.uint32)

    def bijection(values):
        high, low = bits // 2, bits - bits // 2
        for round_key in round_keys:
            left, right = values >> low, values & (2**low - 1)
            left = (left ^ _mixed(right ^ round_key)) & (2**high - 1)
            values = right << high | left
            high, low = low, high
        return values

    def walk(values):
        return jnp.where(values < d, values, bijection(values))

    values = jax.lax.while_loop(
        lambda values: jnp.any(values >= d),
        walk,
        bijection(jnp.arange(k, dtype=jnp.uint32)),
    )
    rotation = jax.random.randint(keys[1], (), 0, d).astype(jnp.uint32)
    return ((values + rotation) % d).astype(jnp.int32)


def _mixed(x: jax.Array) -> jax.Array:
    """u32 -> u32, MurmurHash3's fmix32 (Appleby 2011)."""
    x = (x ^ x >> 16) * jnp.uint32(0x85EBCA6B)
    x = (x ^ x >> 13) * jnp.uint32(0xC2B2AE35)
    return x ^ x >> 16
