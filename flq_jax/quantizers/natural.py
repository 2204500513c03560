"""Powers of two: the exponent of a float and nothing of its fraction."""

import jax
import jax.numpy as jnp

from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer


def natural() -> Quantizer:
    """Rounds |x_i| at random to one of the two powers of two about it (Horvath et al. 2022).

        x_hat_i = sign(x_i) 2^e or sign(x_i) 2^(e+1),   2^e <= |x_i| < 2^(e+1),

    up with probability |x_i| / 2^e - 1: the fraction of the IEEE float. Unbiased, with
    E ||x_hat - x||^2 <= ||x||^2 / 8 and |x_hat_i - x_i| < |x_i|.

    Returns:
        A `Quantizer` on f32[d]. A message is u32[d] codes, the sign and the 8 bits of the
        exponent, without side information, and costs 9 d bits. Zero and numbers below
        2^-126 decode to exactly 0; the largest power is 2^127.
    """

    def layout(d):
        return Layout.of("natural", 9, d, 0)

    def encode(key, x):
        word = jax.lax.bitcast_convert_type(x, jnp.uint32)
        noise = draws.bits(key, x.shape) >> 9
        exponent = (word >> 23) & 0xFF
        up = ((word & 0x7FFFFF) > noise) & (exponent > 0) & (exponent < 254)
        codes = ((word >> 31) << 8) | (exponent + up.astype(jnp.uint32))
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        sign, exponent = message.codes >> 8, message.codes & 0xFF
        word = (sign << 31) | (exponent << 23)
        return jax.lax.bitcast_convert_type(word, jnp.float32)

    return Quantizer(encode, decode, layout)
