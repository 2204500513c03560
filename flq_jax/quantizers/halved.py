"""Vectors whose second half is 0, as the first half alone."""

import jax.numpy as jnp

from flq_jax.arguments import require_instance
from flq_jax.quantizers.base import Quantizer, require_measured


def halved(quantizer: Quantizer) -> Quantizer:
    """Sends the first half of x; the other is decoded as 0, which both ends know it to be.

        x_hat = (Q(x_1), 0)   of x = (x_1, 0).

    For work that hears twice what it says, such as `scallion` (Huang, Li and Li 2024).

    Args:
        quantizer: of f32[d], a `Quantizer`, else TypeError, without a prescribed radius,
            which is that of all of x, and without a choice; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[2 d] with the messages of the quantizer's, and its error on
        such an x; any x_2 is lost. `layout` raises ValueError for an odd length.
    """
    require_instance("halved", "quantizer", quantizer, Quantizer)
    require_measured("halved", quantizer)
    if quantizer.choose is not None:
        raise ValueError("halved: takes no choice; choose among halved ones")

    def layout(length):
        if length % 2:
            raise ValueError(f"halved: needs an even length, 2 d, got {length}")
        inner = quantizer.layout(length // 2)
        return inner._replace(scheme=f"half-{inner.scheme}")

    def first(x):
        layout(x.size)
        return x[: x.size // 2]

    def encode(key, x):
        return quantizer.encode(key, first(x))

    def decode(key, message):
        x_hat = quantizer.decode(key, message)
        return jnp.concatenate([x_hat, jnp.zeros_like(x_hat)])

    def overload(x):
        return quantizer.overload(first(x))

    return Quantizer(encode, decode, layout, overload)
