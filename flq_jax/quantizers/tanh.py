"""The tanh mapping of low-bit weights, as a message."""

import jax.numpy as jnp

from flq_jax.quantizers.base import Layout, Message, Quantizer, as_bytes, require_bits


def tanh_grid(bits: int) -> Quantizer:
    """Maps weights to a grid on [-1, 1] (Zhou et al. 2016, Eq. 9).

    With n = 2**bits - 1:

        code_i  = round(n (tanh x_i / (2 max_j |tanh x_j|) + 1/2))
        x_hat_i = 2 code_i / n - 1,

    hence |x_hat_i - tanh x_i / max_j |tanh x_j|| <= 1 / n. What is decoded is the mapped
    weight, not x: the largest one becomes +-1, and no range need be sent.

    Args:
        bits: bits per coordinate, 2 to 8; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes without side information and
        costs bits * d bits. x = 0 decodes to the grid point next to 0.
    """
    require_bits("tanh_grid", bits, low=2)
    top = 2**bits - 1

    def layout(d):
        return Layout.of(f"tanh{bits}", bits, d, 0)

    def encode(key, x):
        del key  # deterministic
        mapped = jnp.tanh(x)
        largest = jnp.max(jnp.abs(mapped))
        unit = mapped / (2.0 * jnp.where(largest > 0.0, largest, 1.0)) + 0.5
        codes = as_bytes(jnp.round(top * unit))
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return 2.0 / top * message.codes.astype(jnp.float32) - 1.0

    return Quantizer(encode, decode, layout)
