"""Fixed-point numbers, rounded at random."""

import jax.numpy as jnp

from flq_jax.arguments import require_integer
from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer, as_bytes, require_bits


def fixed_point(bits: int, fraction: int) -> Quantizer:
    """Rounds at random to multiples of 2^-fraction (Gupta et al. 2015, Sec. 3).

    With eps = 2^-fraction and u_i ~ U[0, 1),

        x_hat_i = eps floor(x_i / eps + u_i),   saturating at [-2^(bits-1) eps,
        (2^(bits-1) - 1) eps]:

    unbiased with |x_hat_i - x_i| < eps inside, and an overload outside. No range is sent.

    Args:
        bits: bits per coordinate, sign included, 2 to 8; ValueError otherwise.
        fraction: FL, -100 to 100; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes without side information and
        costs bits * d bits. x = 0 decodes to exactly 0.
    """
    require_bits("fixed_point", bits, low=2)
    require_integer("fixed_point", "fraction", fraction, -100, 100)
    eps, half = 2.0**-fraction, 2 ** (bits - 1)

    def layout(d):
        return Layout.of(f"fixed{bits}.{fraction}", bits, d, 0)

    def encode(key, x):
        rounded = draws.rounded(key, jnp.clip(x / eps, -half, half - 1))
        codes = as_bytes(rounded + half)
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return eps * (message.codes.astype(jnp.float32) - half)

    def overload(x):
        return jnp.any((x < -half * eps) | (x > (half - 1) * eps))

    return Quantizer(encode, decode, layout, overload)
