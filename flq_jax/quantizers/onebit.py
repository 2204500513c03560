"""One bit a coordinate, two means."""

import jax.numpy as jnp

from flq_jax.quantizers.base import Layout, Message, Quantizer
from flq_jax.quantizers.ranges import scaled


def two_means() -> Quantizer:
    """The mean of the coordinates on either side of zero (Seide et al. 2014).

        x_hat_i = mean of the x_j >= 0 if x_i >= 0, mean of the x_j < 0 otherwise.

    The sum of x_hat is that of x, and ||x - x_hat||^2 = ||x||^2 - ||x_hat||^2. Made to be
    used with error feedback.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes, 1 for x_i >= 0, and f32[2]
        sides, the means below and above; it costs d + 64 bits. x = 0 decodes to 0.
    """

    def layout(d):
        return Layout.of("two-means", 1, d, 2)

    def encode(key, x):
        del key  # deterministic
        above = x >= 0.0
        counts = jnp.stack([jnp.sum(~above), jnp.sum(above)])
        y, unit = scaled(x)
        sums = jnp.stack([jnp.sum(jnp.minimum(y, 0.0)), jnp.sum(jnp.maximum(y, 0.0))])
        means = unit * (sums / jnp.maximum(counts, 1))
        codes = above.astype(jnp.uint8)
        return Message(codes, means, jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        low, high = message.side
        return jnp.where(message.codes > 0, high, low)

    return Quantizer(encode, decode, layout)
