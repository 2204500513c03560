"""One bit a coordinate, unbiased by noise that comes before it."""

import math

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_choice
from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer, never
from flq_jax.single import single

# p(t) ~ exp(-|t|^(2 z) / 2): its integral over t > 0 for z = 1 and z = infinity.
_SCALES = {"normal": math.sqrt(math.pi / 2), "uniform": 1.0}


def noisy_sign(sigma: float, *, noise: str = "uniform") -> Quantizer:
    """The sign of x + noise, at a scale that both ends know (Tang, Wang and Chang 2024).

        x_hat = eta sigma sign(x + sigma xi),   sign(0) = +1,

    z-SignFedAvg, with xi of density exp(-|t|^(2 z) / 2) / (2 eta): uniform on [-1, 1] with
    eta = 1 (z = infinity), or standard normal with eta = sqrt(pi / 2) (z = 1). Then

        E x_hat_i = x_i                                   uniform, |x_i| <= sigma,
        E x_hat_i = eta sigma erf(x_i / (sqrt(2) sigma))  normal,

    the latter x_i (1 - x_i^2 / (6 sigma^2) + ...): the bias goes with sigma what the
    variance, (eta sigma)^2 less the mean's square, comes with. With uniform noise it is
    Sto-Sign (Jin et al. 2020) with b = sigma: + with probability (b + x_i) / (2 b).
    No scale is sent and a vote needs none: `MAJORITY_VOTE` takes it as it is.

    The equations are those of these papers as our notes have them; the means are derived.

    Args:
        sigma: above 0 and finite; ValueError otherwise.
        noise: "uniform" or "normal"; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes, 1 for +, and costs d bits.
        x = 0 decodes to +-eta sigma. With uniform noise a coordinate beyond sigma is an
        overload: its sign is certain, and its size lost.
    """
    if not 0.0 < single(sigma) < math.inf:
        raise ValueError(f"noisy_sign: sigma must be positive and finite, got {sigma=}")
    require_choice("noisy_sign", "noise", noise, _SCALES)
    size = jnp.float32(_SCALES[noise] * sigma)
    uniform = noise == "uniform"

    def layout(d):
        return Layout.of(f"noisy-sign-{noise}{float(sigma)}", 1, d)

    def encode(key, x):
        if uniform:
            xi = 2.0 * draws.uniform(key, x.shape) - 1.0
        else:
            xi = jax.random.normal(key, x.shape)
        codes = (x + sigma * xi >= 0.0).astype(jnp.uint8)
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return jnp.where(message.codes > 0, size, -size)

    def overload(x):
        return jnp.any(jnp.abs(x) > sigma)

    return Quantizer(encode, decode, layout, overload if uniform else never)
