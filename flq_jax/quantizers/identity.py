"""No quantization: the 32-bit floats themselves."""

import jax
import jax.numpy as jnp

from flq_jax.quantizers.base import Layout, Message, Quantizer, exactly


def identity() -> Quantizer:
    """Sends x as it is: x_hat = x, bit for bit.

    Returns:
        A `Quantizer` on f32[d]. A message is u32[d] codes, the IEEE bits of x, without
        side information, and costs 32 d bits.
    """

    def layout(d):
        return Layout.of("identity", 32, d, 0, floats=True)

    @exactly
    def encode(key, x):
        del key  # deterministic
        codes = jax.lax.bitcast_convert_type(x, jnp.uint32)
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    @exactly
    def decode(key, message):
        del key
        return jax.lax.bitcast_convert_type(message.codes, jnp.float32)

    return Quantizer(encode, decode, layout)
