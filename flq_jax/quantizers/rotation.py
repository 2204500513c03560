"""Random rotations that both ends know: after one, any vector looks Gaussian."""

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.precision import EXACT
from flq_jax.quantizers import draws
from flq_jax.quantizers.base import require_indices

# Factors of the Hadamard matrix are products with matrices up to this size: on a CPU as
# on a TPU a few small products outrun log2(d) passes of additions.
_LARGEST_FACTOR = 32


def padded_size(d: int) -> int:
    """The least power of two that is `d` or more; ValueError where d is above 2^30."""
    n = 1 << (d - 1).bit_length()
    require_indices("rotation", "entries, padded to a power of two,", n)
    return n


@jax.jit
def hadamard(x: jax.Array) -> jax.Array:
    """The orthonormal Walsh-Hadamard transform H x, its own inverse.

    With n = n_1 ... n_k, H_n = H_(n_1) x ... x H_(n_k) (a Kronecker product): each
    factor is one product with a small matrix, O(n (n_1 + ... + n_k)) in all.

    Args:
        x: f32[n], n a power of two; ValueError otherwise.
    """
    (size,) = x.shape
    if size != padded_size(size):
        raise ValueError(f"hadamard: the length must be a power of two, got n={size}")
    for factor in _factors(size):
        rows = x.reshape(-1, factor)
        x = jnp.dot(rows, _matrix(factor), precision=EXACT).T.reshape(size)
    return x


def rotate(key: jax.Array, x: jax.Array) -> jax.Array:
    """H D x, with D the signs that `key` draws: a random rotation, f32[n].

    Args:
        key: shared by both ends.
        x: f32[d]; it is padded with zeros to n = `padded_size(d)`.
    """
    n = padded_size(x.size)
    return hadamard(_signs(key, n) * jnp.pad(x, (0, n - x.size)))


def unrotate(key: jax.Array, z: jax.Array, d: int) -> jax.Array:
    """D H z, cut to f32[d]: the inverse of `rotate` under the same key.

    Args:
        key: the one that rotated.
        z: f32[n].
        d: length of the vector that was rotated, at most n.
    """
    return (_signs(key, z.size) * hadamard(z))[:d]


def _factors(size: int) -> list[int]:
    """Powers of two of about the same size whose product is `size`."""
    exponent = size.bit_length() - 1
    count = -(-exponent // (_LARGEST_FACTOR.bit_length() - 1))
    return [2 ** ((exponent + i) // count) for i in range(count)]


def _matrix(size: int) -> np.ndarray:
    """The orthonormal Hadamard matrix, f32[size, size]."""
    two = np.array([[1.0, 1.0], [1.0, -1.0]])
    one: np.ndarray = np.ones((1, 1))
    matrix = reduce(np.kron, [two] * (size.bit_length() - 1), one)
    return (matrix / np.sqrt(size)).astype(np.float32)


def _signs(key: jax.Array, size: int) -> jax.Array:
    """+1 or -1 with even odds, f32[size]; a random word serves 32 of them."""
    words = draws.bits(key, (-(-size // 32),))
    bits = words[:, None] >> jnp.arange(32, dtype=jnp.uint32)[None] & 1
    return 1.0 - 2.0 * bits.reshape(-1)[:size].astype(jnp.float32)
