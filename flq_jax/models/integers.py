"""What a layer's rounded weights and inputs are as integers, for packed products."""

import jax
import jax.numpy as jnp

from flq_jax.kernels import Codes, as_codes, as_signs
from flq_jax.quantizers.straight_through import clipped_activation, quantize_weights


def weight_codes(w: jax.Array, bits: int, rescale: bool) -> tuple[Codes, jax.Array]:
    """(codes, scale) with scale * codes.values = quantize_weights(w, bits, rescale).

    The values are -n, 2 - n, .., n with n = 2**bits - 1; one bit is +-1 and its scale
    E(|w|). The product is equal but for a rounding of floats.

    Args:
        w: f32[...].
        bits: 1 to 8.
        rescale: see `tanh_weights`.
    """
    if bits == 1:
        return as_signs(w), jnp.mean(jnp.abs(w))
    steps = 2**bits - 1
    unit = (quantize_weights(w, bits) + 1.0) / 2.0
    codes = as_codes(jnp.round(steps * unit).astype(jnp.int32), bits, signed=True)
    top = jnp.tanh(jnp.max(jnp.abs(w))) if rescale else jnp.float32(1.0)
    return codes, top / steps


def input_codes(
    x: jax.Array, bits: int, input_range: float, signed: bool = False
) -> tuple[Codes, float]:
    """(codes, scale) with scale * codes.values = a(x), see `LowBitLayer`.

    Args:
        x: f32[...].
        bits: A, 1 to 8.
        input_range: R.
        signed: whether it reaches from -R.
    """
    steps = 2**bits - 1
    unit = x / (2.0 * input_range) + 0.5 if signed else x / input_range
    rounded = jnp.round(steps * clipped_activation(unit, bits))
    codes = as_codes(rounded.astype(jnp.int32), bits, signed)
    return codes, input_range / steps
