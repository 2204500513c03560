"""The range of a vector: norms and means of which no square or sum under- or overflows.

Each is taken of x over a power of two of the order of its largest magnitude. Those
products are exact, so that for ordinary x nothing changes by a bit.
"""

import jax
import jax.numpy as jnp
import numpy as np


def l2_norm(x: jax.Array) -> jax.Array:
    """||x||, f32[]."""
    y, unit = scaled(x)
    return unit * jnp.linalg.norm(y)


def rms(x: jax.Array) -> jax.Array:
    """||x|| / sqrt(d), f32[]."""
    y, unit = scaled(x)
    return unit * jnp.sqrt(jnp.mean(jnp.square(y)))


def mean_magnitude(x: jax.Array) -> jax.Array:
    """||x||_1 / d, f32[]."""
    y, unit = scaled(x)
    return unit * jnp.mean(jnp.abs(y))


def scaled(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x / 2^e and 2^e, the power of two below max |x|: entries below 2 in magnitude.

    Powers without a normal reciprocal are left out: e is in -126..126.

    Args:
        x: f32[d]; NaN and infinities stay what they are.
    """
    unit = power_of_two(jnp.max(jnp.abs(x)))
    return x / unit, unit


def power_of_two(size: jax.Array) -> jax.Array:
    """The power of two at or below a magnitude, from 2^-126 to 2^126, f32[]."""
    word = jax.lax.bitcast_convert_type(size, jnp.uint32) & np.uint32(0x7F800000)
    power = jax.lax.bitcast_convert_type(word, jnp.float32)
    return jnp.clip(power, np.float32(2.0**-126), np.float32(2.0**126))


def normalised(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x / max |x| and the maximum.

    A maximum below 1e-37, some ten times the least normal float, counts as 0, and leaves
    zeros; NaN stays NaN.
    """
    top = jnp.max(jnp.abs(x))
    vanishes = top < 1e-37
    return (
        jnp.where(vanishes, 0.0, x / jnp.where(vanishes, 1.0, top)),
        jnp.where(vanishes, 0.0, top),
    )
