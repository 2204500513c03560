"""A vector by its products with a few random ones that both ends have drawn."""

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer
from flq_jax.precision import EXACT
from flq_jax.quantizers.base import Layout, Message, Quantizer, require_indices


def projected(count: int, d: int) -> Quantizer:
    """Sends P products of x with Gaussian vectors that the ends share (DeComFL's scalars).

        s_p = <x, z_p>,   x_hat = (1 / P) sum_p s_p z_p,   z_p ~ N(0, I) from the key.

    Unbiased, with E ||x_hat - x||^2 = (d + 1) / P ||x||^2. Of a gradient, s_p is the slope
    along z_p, which a client finds by two losses without any gradient,

        s_p = (f(theta + mu z_p) - f(theta - mu z_p)) / (2 mu) + O(mu^2):

    behind `gradient(...)` the round is that of DeComFL with one local step (Li et al. 2025;
    its scalars, seeds and mean as in the authors' public code, ZidongLiu/DeComFL,
    random_gradient_estimator.py) as mu -> 0, but for seeds that differ from client to
    client, whose errors average out. There the scalars of all clients are the broadcast,
    too; here the broadcast is the downlink's own.

    Args:
        count: P, 1 or more; ValueError otherwise.
        d: length of x, 1 or more, which the decoder cannot tell from a message, below 2**31;
            ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is no codes, u8[0], and f32[P] sides; it costs
        32 P bits. x = 0 decodes to exactly 0. The z_p are drawn one after another: memory
        is 2 d, and time P d.
    """
    require_integer("projected", "count", count, 1)
    if isinstance(d, int):
        require_indices("projected", "coordinates", d)
    require_integer("projected", "d", d, 1)
    layout = Layout.of(f"projected-{count}-of-{d}", 1, 0, count)

    def of(length):
        if length != d:
            raise ValueError(f"projected: was made for {d=}, got a length of {length}")
        return layout

    def direction(key, p):
        return jax.random.normal(jax.random.fold_in(key, p), (d,))

    def encode(key, x):
        products = jax.lax.map(
            lambda p: jnp.vdot(direction(key, p), x, precision=EXACT), jnp.arange(count)
        )
        return Message(jnp.zeros(0, jnp.uint8), products, jnp.int32(layout.length))

    def decode(key, message):
        def add(total, each):
            p, product = each
            return total + product * direction(key, p), None

        total, _ = jax.lax.scan(add, jnp.zeros(d), (jnp.arange(count), message.side))
        return total / count

    return Quantizer(encode, decode, of)
