"""Three values a coordinate."""

import jax.numpy as jnp

from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer
from flq_jax.quantizers.ranges import rms
from flq_jax.single import single


def terngrad(clip: float = 2.5) -> Quantizer:
    """Rounds at random to -s, 0 or s after clipping (Wen et al. 2017, Eqs. 2-3 and 9).

        x_hat_i = s sign(x_i) b_i,   b_i ~ Bernoulli(|x_i| / s),   s = max_i |x_i|,

    of x clipped to +-clip rms(x), its standard deviation about 0. Unbiased for the clipped x, with
    E (x_hat_i - x_i)^2 = |x_i| (s - |x_i|).

    Args:
        clip: above 0; infinity clips nothing. ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes 0, 1, 2, 1 standing for zero,
        and f32[1] side = s; it costs 2 d + 32 bits. x = 0 decodes to exactly 0.
    """
    if not single(clip) > 0.0:
        raise ValueError(f"terngrad: clip must be positive, got {clip=}")

    def layout(d):
        return Layout.of(f"terngrad{float(clip)}", 2, d, 1)

    def encode(key, x):
        deviation = rms(x)
        limit = jnp.where(deviation > 0.0, clip * deviation, jnp.inf)
        clipped = jnp.clip(x, -limit, limit)
        scale = jnp.max(jnp.abs(clipped))
        chance = jnp.abs(clipped) / jnp.where(scale > 0.0, scale, 1.0)
        drawn = draws.uniform(key, x.shape) < chance
        codes = jnp.where(drawn, jnp.where(x < 0.0, 0, 2), 1).astype(jnp.uint8)
        return Message(codes, scale[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return message.side[0] * (message.codes.astype(jnp.float32) - 1.0)

    return Quantizer(encode, decode, layout)
