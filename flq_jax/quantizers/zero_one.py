"""Masks: one bit a coordinate, as it is."""

import jax.numpy as jnp

from flq_jax.quantizers.base import Layout, Message, Quantizer


def zero_one() -> Quantizer:
    """Rounds each coordinate to 0 or 1, x_hat_i = 1 if x_i > 1/2, else 0.

    A mask comes through as it is; behind `entropy_coded` at the entropy of its ones, as
    FedPM counts it (Isik et al. 2023).

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes and costs d bits. x = 0 decodes
        to exactly 0.
    """

    def layout(d):
        return Layout.of("zero-one", 1, d)

    def encode(key, x):
        del key  # deterministic
        codes = (x > 0.5).astype(jnp.uint8)
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return message.codes.astype(jnp.float32)

    return Quantizer(encode, decode, layout)
