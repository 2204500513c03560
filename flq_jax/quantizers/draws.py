"""Random words, uniform numbers and keys: those of `jax.random`, in one pass.

On a CPU XLA runs the generator of `jax.random` as a loop that stores all words after
every four of its twenty rounds. Written out the rounds fuse with each other and with
what uses the words, and draw the same ones in a quarter of the time. Not so beside
tables: XLA looks values up one by one, and would draw so too, for each table anew.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from flq_jax.quantizers.base import require_indices

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform words, bit for bit `jax.random.bits(key, shape, jnp.uint32)`.

    Word i is a xor b of (a, b) = Threefry-2x32(key, (0, i))  (Salmon et al. 2011).

    Args:
        key: a threefry2x32 key; ValueError otherwise. It is spent, as the checker of
            keys sees.
        shape: of fewer than 2**31 words; ValueError otherwise.
    """
    a, b = _blocks(key, math.prod(shape))
    return (a ^ b).reshape(shape)


def split(key: jax.Array, num: int = 2) -> jax.Array:
    """Keys[num] of streams of their own, bit for bit `jax.random.split(key, num)`.

    Args:
        key: as in `bits`.
        num: how many.
    """
    return jax.random.wrap_key_data(
        jnp.stack(_blocks(key, num), axis=-1), impl=jax.random.key_impl(key)
    )


def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Numbers in [0, 1), multiples of 2**-23: `jax.random.uniform(key, shape)`.

    Args:
        key, shape: as in `bits`.
    """
    one_to_two = bits(key, shape) >> 9 | np.uint32(0x3F800000)
    return lax.bitcast_convert_type(one_to_two, jnp.float32) - 1.0


def rounded(key: jax.Array, x: jax.Array) -> jax.Array:
    """Whole numbers of mean x, floor(x + u) with u ~ U[0, 1), f32[...].

    What is whole stays as it is: u is added to the fraction alone, for x + u may round up.

    Args:
        key: as in `bits`.
        x: f32[...].
    """
    whole = jnp.floor(x)
    return whole + jnp.floor(x - whole + uniform(key, x.shape))


def _blocks(key: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 of the counters (0, 0) to (0, count - 1), u32[count] each."""
    if (impl := str(jax.random.key_impl(key))) != "threefry2x32":
        raise ValueError(f"draws: key must be of threefry2x32, got {impl}")
    require_indices("draws", "random words", count)
    jax.random.bits(key, (0,))  # shows `jax_debug_key_reuse` that the key is spent
    counter = lax.iota(jnp.uint32, count)
    return _threefry(jax.random.key_data(key), jnp.zeros_like(counter), counter)


@jax.jit
def _threefry(
    key: jax.Array, a: jax.Array, b: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 of twenty rounds, u32[n] each, under the key u32[2]."""
    keys = key[0], key[1], key[0] ^ key[1] ^ np.uint32(0x1BD11BDA)
    a, b = a + keys[0], b + keys[1]
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            a = a + b
            b = (b << rotation | b >> 32 - rotation) ^ a
        a = a + keys[(i + 1) % 3]
        b = b + keys[(i + 2) % 3] + np.uint32(i + 1)
    return a, b
