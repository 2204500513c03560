"""Whole numbers of some bits, times a scale that fits them."""

import jax
import jax.numpy as jnp

from flq_jax.quantizers.base import Layout, Message, Quantizer, require_bits


def twos_complement(bits: int) -> Quantizer:
    """Rounds to the nearest of 2^b multiples of a, from -2^(b-1) a to (2^(b-1) - 1) a.

        x_hat_i = a k_i,   k_i = clip(round(x_i / a), -2^(b-1), 2^(b-1) - 1),
        a = max(-min_i x_i / 2^(b-1), max_i x_i / (2^(b-1) - 1)),

    the least a at which nothing is clipped. What lies on such a grid and reaches an end of it
    is kept; so FedBiF's model comes down as it is, see `bit_training`.

    Args:
        bits: b, 2 to 8; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes k + 2^(b-1) and f32[1] side a, and
        costs b d + 32 bits; |x_i - x_hat_i| <= a / 2. x = 0 decodes to exactly 0.
    """
    require_bits("twos_complement", bits, low=2)
    half = 2 ** (bits - 1)

    def layout(d):
        return Layout.of(f"twos-complement{bits}", bits, d, 1)

    def encode(key, x):
        del key  # deterministic
        scale = grid_scale(x, bits)
        codes = (grid_codes(x, scale, bits) + half).astype(jnp.uint8)
        return Message(codes, scale[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        (scale,) = message.side
        return scale * (message.codes.astype(jnp.float32) - half)

    return Quantizer(encode, decode, layout)


def grid_scale(x: jax.Array, bits: int) -> jax.Array:
    """The least a at which x fits, f32[]."""
    half = 2.0 ** (bits - 1)
    return jnp.maximum(jnp.maximum(-jnp.min(x) / half, jnp.max(x) / (half - 1.0)), 0.0)


def grid_codes(x: jax.Array, scale: jax.Array, bits: int) -> jax.Array:
    """The k nearest to x / a, f32 as x; 0 where a is."""
    half = 2.0 ** (bits - 1)
    nearest = jnp.round(x / jnp.where(scale > 0.0, scale, 1.0))
    return jnp.clip(nearest, -half, half - 1.0)
