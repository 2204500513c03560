"""One bit a coordinate: whether it is noise that both ends have drawn, or none."""

import math

import jax.numpy as jnp

from flq_jax.arguments import require_flag, shown
from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer
from flq_jax.single import single


def masked_noise(scale: float, *, signed: bool = True) -> Quantizer:
    """A mask over shared noise instead of x (FedMRN, Li et al. 2024).

    Both ends draw n_i uniformly from [-scale, scale] by the key that they share; what
    crosses the link is a mask m, and x_hat = n m, with

        m_i in {-1, 1},  P(m_i = 1) = clip((x_i / n_i + 1) / 2, 0, 1)   signed,
        m_i in {0, 1},   P(m_i = 1) = clip(x_i / n_i, 0, 1)             otherwise.

    Where x_i lies between -n_i and n_i (between 0 and n_i, if unsigned) E x_hat_i = x_i;
    beyond, x_hat_i is the nearest of both. So over the noise, for |x_i| <= scale,

        E x_hat_i = x_i (1 - |x_i| / (2 scale))       signed,

    and half of that otherwise, where the noise has the sign of x_i half of the times.
    FedMRN's clients train through their masks besides, which is their work and not the
    link's. Equations and noise are those of the authors' public code
    (Leopold1423/fedmrn-mm24, model/srn.py), with noise of 1e-8 at least.

    Args:
        scale: of the noise, above 0 and finite; ValueError otherwise. The updates' order.
        signed: which masks; TypeError unless True or False.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes, 1 for m_i = 1, and costs d bits.
        x = 0 decodes to exactly 0 if unsigned.
    """
    if not 0.0 < single(scale) < math.inf:
        raise ValueError(
            f"masked_noise: scale must be positive and finite, got scale={shown(scale)}"
        )
    require_flag("masked_noise", "signed", signed)
    name = f"masked-noise{float(scale)}" + "-unsigned" * (not signed)

    def layout(d):
        return Layout.of(name, 1, d)

    def noise(key, d):
        drawn = scale * (2.0 * draws.uniform(key, (d,)) - 1.0)
        return jnp.where(jnp.abs(drawn) < 1e-8, 1e-8, drawn)

    def encode(key, x):
        shared, own = draws.split(key)
        ratio = x / noise(shared, x.size)
        chance = (ratio + 1.0) / 2.0 if signed else ratio
        codes = (draws.uniform(own, x.shape) < chance).astype(jnp.uint8)
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    def decode(key, message):
        n = noise(draws.split(key)[0], message.codes.size)
        return jnp.where(message.codes > 0, n, -n if signed else 0.0)

    return Quantizer(encode, decode, layout)
