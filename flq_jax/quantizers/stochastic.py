"""Stochastic rounding on a uniform grid, unbiased."""

import jax.numpy as jnp

from flq_jax.arguments import require_choice, require_integer
from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer, as_bytes
from flq_jax.quantizers.ranges import l2_norm

NORMS = {"l2": l2_norm, "max": lambda x: jnp.max(jnp.abs(x))}


def stochastic(levels: int, norm: str = "l2") -> Quantizer:
    """Rounds |x_i| / ||x|| at random to one of levels + 1 points (QSGD).

    With N = ||x||, s = levels and u_i ~ U[0, 1)  (Alistarh et al. 2017, Eq. 2):

        x_hat_i = N sign(x_i) floor(s |x_i| / N + u_i) / s.

    Unbiased, E[x_hat] = x; with the l2 norm its variance is at most
    min(d / s^2, sqrt(d) / s) ||x||^2; with either, |x_i - x_hat_i| < N / s.

    Args:
        levels: s, 1 to 127, so that a code fits a byte: 2**(b-1) - 1 levels make full
            use of b bits. ValueError otherwise.
        norm: "l2", or "max" for the infinity norm; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes in 0..2s, s standing for zero,
        and f32[1] side = N; it costs ceil(log2(2s + 1)) d + 32 bits. x = 0 decodes to
        exactly 0.
    """
    require_integer("stochastic", "levels", levels, 1, 127)
    require_choice("stochastic", "norm", norm, NORMS)
    code_bits = (2 * levels).bit_length()

    def layout(d):
        return Layout.of(f"stochastic{levels}-{norm}", code_bits, d, 1)

    def encode(key, x):
        scale = NORMS[norm](x)
        position = levels * x / jnp.where(scale > 0.0, scale, 1.0)
        rounded = draws.rounded(key, jnp.clip(position, -levels, levels))
        codes = as_bytes(rounded + levels)
        return Message(codes, scale[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        (scale,) = message.side
        return scale / levels * (message.codes.astype(jnp.float32) - levels)

    return Quantizer(encode, decode, layout)
