"""One bit a coordinate."""

import math

import jax.numpy as jnp

from flq_jax.quantizers.base import Layout, Message, Quantizer
from flq_jax.quantizers.ranges import mean_magnitude
from flq_jax.single import single


def sign(scale: float | None = None) -> Quantizer:
    """Scaled sign (Feng, Ning et al. 2023, Eq. 15, with l = d).

        x_hat = (||x||_1 / d) sign(x),   sign(0) = +1.

    It is the two-level Lloyd-Max quantizer of a symmetric source, and a contraction:
    ||x - x_hat||^2 = (1 - ||x||_1^2 / (d ||x||^2)) ||x||^2 (Karimireddy et al. 2019).
    With a scale that both ends know, x_hat = scale sign(x), as signSGD's clients vote
    (Bernstein et al. 2018), it is neither.

    Args:
        scale: known to both ends and not sent, positive and finite; ValueError
            otherwise. None measures ||x||_1 / d and sends it.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes, 1 for +, and, if the scale is
        measured, f32[1] side; it costs d + 32 bits, or d bits. With a measured scale
        x = 0 decodes to exactly 0.
    """
    if scale is not None and not 0.0 < single(scale) < math.inf:
        raise ValueError(f"sign: scale must be positive and finite, got {scale=}")
    measured = scale is None
    name = "sign" if measured else f"sign-scale{float(scale)}"

    def layout(d):
        return Layout.of(name, 1, d, int(measured))

    def encode(key, x):
        del key  # deterministic
        side = mean_magnitude(x)[None] if measured else jnp.zeros(0)
        codes = (x >= 0.0).astype(jnp.uint8)
        return Message(codes, side, jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        size = message.side[0] if measured else jnp.float32(scale)
        return jnp.where(message.codes > 0, size, -size)

    return Quantizer(encode, decode, layout)
