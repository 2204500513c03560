"""A quantizer applied to equal pieces: a range for every few hundred coordinates."""

import jax
import jax.numpy as jnp

from flq_jax.quantizers.base import (
    Layout,
    Message,
    Quantizer,
    require_measured,
)


def bucketed(quantizer: Quantizer, size: int) -> Quantizer:
    """Applies `quantizer` to each bucket of `size` coordinates (Alistarh et al. 2017).

    x is filled up with zeros to whole buckets, which all are quantized at once; the codes
    of the filling are not sent. (For unequal pieces, the tensors of a model, there is
    `segmented`.)

    Args:
        quantizer: one that makes a code of each coordinate, by a grid of its own and the
            same in each round; ValueError otherwise, and for a `one_of` or a `warm_up`,
            which go around it.
        size: coordinates of a bucket, 1 or more; ValueError otherwise.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"bucketed: size must be an integer, 1 or more, got {size=}")
    if quantizer.choose is not None:
        raise ValueError("bucketed: takes no choice; choose among bucketed ones")
    require_measured("bucketed", quantizer)
    one = quantizer.layout(size)
    if one.num_codes != size or len(one.runs) != 1:
        raise ValueError(
            f"bucketed: needs a quantizer with one code a coordinate, got {one}"
        )

    def layout(d):
        sides = -(-d // size) * one.num_sides
        return Layout.of(
            f"{one.scheme}/{size}", one.widest, d, sides, floats=one.floats
        )

    def split(x):
        filled = jnp.pad(x, (0, -x.size % size))
        return filled.reshape(-1, size)

    def encode(key, x):
        buckets = split(x)
        keys = jax.random.split(key, len(buckets))
        parts = jax.vmap(quantizer.encode)(keys, buckets)
        codes, side = parts.codes.ravel()[: x.size], parts.side.ravel()
        return Message(codes, side, jnp.int32(layout(x.size).num_bits))

    def decode(key, message):
        # Not padded: XLA would pad anew, without vectors, for each level compared with.
        places = jnp.arange(message.codes.size + -message.codes.size % size)
        codes = message.codes.at[places].get(mode="fill", fill_value=0)
        codes = codes.reshape(-1, size)
        sides = message.side.reshape(len(codes), one.num_sides)
        lengths = jnp.full(len(codes), one.num_bits, jnp.int32)
        keys = jax.random.split(key, len(codes))
        x_hat = jax.vmap(quantizer.decode)(keys, Message(codes, sides, lengths))
        return x_hat.ravel()[: message.codes.size]

    def overload(x):
        return jnp.any(jax.vmap(quantizer.overload)(split(x)))

    return Quantizer(encode, decode, layout, overload)
