"""One bit a coordinate."""

import jax.numpy as jnp

from flq_jax.quantizers.base import Layout, Message, Quantizer


def sign() -> Quantizer:
    """Scaled sign (Ning et al. 2023, Eq. 15, with l = d).

        x_hat = (||x||_1 / d) sign(x),   sign(0) = +1.

    It is the two-level Lloyd-Max quantizer of a symmetric source, and a contraction:
    ||x - x_hat||^2 = (1 - ||x||_1^2 / (d ||x||^2)) ||x||^2 (Karimireddy et al. 2019).

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes, 1 for +, and f32[1] side, the
        scale ||x||_1 / d, and costs d + 32 bits. x = 0 decodes to exactly 0.
    """

    def layout(d):
        return Layout.of("sign", 1, d, 1)

    def encode(key, x):
        del key  # deterministic
        scale = jnp.mean(jnp.abs(x))
        codes = (x >= 0.0).astype(jnp.uint8)
        return Message(codes, scale[None], jnp.int32(layout(x.size).num_bits))

    def decode(key, message):
        del key
        (scale,) = message.side
        return jnp.where(message.codes > 0, scale, -scale)

    return Quantizer(encode, decode, layout)
