"""Products and convolutions of `Codes` in plain integers: slow, readable, the oracle."""

import jax
import jax.numpy as jnp

from flq_jax.kernels.geometry import Geometry, taps
from flq_jax.kernels.packing import Codes


def matmul(a: Codes, b: Codes) -> jax.Array:
    """The matrix product of the values, i32[m, n], of codes [m, k] and [k, n]."""
    return jnp.dot(a.values, b.values)


def conv(x: Codes, w: Codes, geometry: Geometry, groups: int) -> jax.Array:
    """The convolution of the values, i32[n, ho, wo, o]; padding has the value 0.

    Products of integers, tap by tap: XLA has no integer convolution for a GPU.

    Args:
        x: codes [n, h, w, c].
        w: codes [kh, kw, c / groups, o].
        geometry: of x and w.
        groups: parts of the channels that see only their own outputs.
    """
    part, outputs = w.codes.shape[2:]
    split = w.values.reshape(-1, part, groups, outputs // groups)  # a row for each tap
    total = jnp.zeros((*x.codes.shape[:-3], *geometry.out, outputs), jnp.int32)
    for seen, weights in zip(taps(x.values, geometry), split):
        seen = seen.reshape(*seen.shape[:-1], groups, part)
        total += jnp.einsum("nhwgc,cgo->nhwgo", seen, weights).reshape(total.shape)
    return total
