"""Products and convolutions of `Codes` in plain integers: slow, readable, the oracle."""

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax.kernels.geometry import DIMENSIONS, Geometry
from flq_jax.kernels.packing import Codes


def matmul(a: Codes, b: Codes) -> jax.Array:
    """The matrix product of the values, i32[m, n], of codes [m, k] and [k, n]."""
    return jnp.dot(a.values, b.values)


def conv(x: Codes, w: Codes, geometry: Geometry, groups: int) -> jax.Array:
    """The convolution of the values, i32[n, ho, wo, o]; padding has the value 0.

    Args:
        x: codes [n, h, w, c].
        w: codes [kh, kw, c / groups, o].
        geometry: of x and w.
        groups: parts of the channels that see only their own outputs.
    """
    return lax.conv_general_dilated(
        x.values,
        w.values,
        geometry.stride,
        geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=DIMENSIONS,
        feature_group_count=groups,
    )
