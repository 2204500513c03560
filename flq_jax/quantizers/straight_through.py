"""Low-bit maps with a gradient: weights, activations and gradients of DoReFa-Net.

They are used inside a model, where nothing crosses a link; see the other modules of
this package for messages. Everywhere k bits stand for n = 2**k - 1 steps.
"""

from functools import partial

import jax
import jax.numpy as jnp

from flq_jax.quantizers import draws
from flq_jax.quantizers.base import require_bits

FULL_PRECISION = 32

# Below this a range counts as zero: its square's inverse would overflow float32.
_SMALLEST_RANGE = 1e-18


def require_precision(where: str, name: str, bits: int) -> None:
    """Raises ValueError unless `bits` is an integer in 1..8 or 32."""
    allowed = (*range(1, 9), FULL_PRECISION)
    if isinstance(bits, bool) or not isinstance(bits, int) or bits not in allowed:
        raise ValueError(
            f"{where}: {name} must be an integer in 1..8, or 32 for full precision, "
            f"got {name}={bits!r}"
        )


@jax.custom_jvp
def straight_through(x: jax.Array, x_hat: jax.Array) -> jax.Array:
    """The value of x_hat with the gradient of x (Bengio et al. 2013).

    Unlike x + stop_gradient(x_hat - x), it is x_hat to the last bit.

    Args:
        x: f32[...].
        x_hat: f32[...] of the same shape, some rounding of x.
    """
    del x
    return x_hat


@straight_through.defjvp
def _straight_through_jvp(primals, tangents):
    return primals[1], tangents[0]


def quantize_k(x: jax.Array, bits: int) -> jax.Array:
    """Rounds to the nearest of 2**k levels in [0, 1] (Zhou et al. 2016, Eqs. 5-6).

        x_hat = round(n x) / n,   n = 2**k - 1,   d x_hat / d x = 1.

    Args:
        x: f32[...] in [0, 1].
        bits: k, 1 to 8, or 32 for x itself; ValueError otherwise.
    """
    require_precision("quantize_k", "bits", bits)
    if bits == FULL_PRECISION:
        return x
    steps = 2**bits - 1
    return straight_through(x, jnp.round(steps * x) / steps)


def tanh_weights(w: jax.Array, bits: int, rescale: bool = False) -> jax.Array:
    """Weights of two bits and more (Zhou et al. 2016, Eq. 9).

        w_hat = 2 quantize_k(tanh(w) / (2 T) + 1/2) - 1,   T = max_j |tanh(w_j)|.

    The maximum is over the whole tensor. The gradient passes through tanh and T, and
    straight through the rounding. As 2**k levels symmetric about 0 do not contain it,
    a zero weight becomes +-1/n.

    The paper's w_hat fills [-1, 1] however small w is, for batch normalization follows
    and undoes any factor. Where none follows, `rescale` returns the tensor's own range:

        w_hat = T (2 quantize_k(tanh(w) / (2 T) + 1/2) - 1),
        |w_hat - tanh(w)| <= T / n,

    whose gradient is that of tanh(w): T cancels but for the rounding.

    Args:
        w: f32[...]; if all of it is 0, w_hat and the gradient are finite, and w_hat
            is 0 if rescaled.
        bits: k, 2 to 8; ValueError otherwise.
        rescale: whether to multiply by T.
    """
    require_bits("tanh_weights", bits, low=2)
    peak = jnp.max(jnp.abs(w))
    # tanh is monotone, so that the maximum needs no pass of its own over tanh(w).
    top = jnp.tanh(jnp.where(peak > _SMALLEST_RANGE, peak, 1.0))
    squashed = jnp.tanh(w)
    w_hat = 2.0 * quantize_k(squashed / (2.0 * top) + 0.5, bits) - 1.0
    if not rescale:
        return w_hat
    return straight_through(
        squashed, jnp.where(peak > _SMALLEST_RANGE, top, 0.0) * w_hat
    )


def sign_weights(w: jax.Array, per_channel: bool = False) -> jax.Array:
    """Weights of one bit (Zhou et al. 2016, Eqs. 7-8; Rastegari et al. 2016).

        w_hat = E(|w|) sign(w),   sign(0) = +1,   d w_hat / d w = 1,

    the mean being over the whole tensor (DoReFa-Net), or over all axes but the first
    for a scale per output channel (XNOR-Net).

    Args:
        w: f32[...], f32[out, ...] if per channel.
        per_channel: whether each w[i] has its own scale.
    """
    axes = tuple(range(1, w.ndim)) if per_channel else None
    scale = jnp.mean(jnp.abs(w), axis=axes, keepdims=True)
    return straight_through(w, jnp.where(w >= 0.0, scale, -scale))


def quantize_weights(w: jax.Array, bits: int, rescale: bool = False) -> jax.Array:
    """Weights of any width: `sign_weights` for 1 bit, `tanh_weights` for 2 to 8.

    Args:
        w: f32[...].
        bits: 1 to 8, or 32 for w itself; ValueError otherwise.
        rescale: of `tanh_weights`; one-bit weights have a scale of their own.
    """
    require_precision("quantize_weights", "bits", bits)
    if bits == FULL_PRECISION:
        return w
    return sign_weights(w) if bits == 1 else tanh_weights(w, bits, rescale)


def clipped_activation(x: jax.Array, bits: int) -> jax.Array:
    """Activations (Zhou et al. 2016, Eq. 10, after the clip its text asks for).

        y = quantize_k(clip(x, 0, 1)),   d y / d x = 1 for 0 < x < 1, else 0.

    Args:
        x: f32[...].
        bits: k, 1 to 8, or 32 for max(x, 0); ValueError otherwise.
    """
    require_precision("clipped_activation", "bits", bits)
    if bits == FULL_PRECISION:
        return jax.nn.relu(x)
    return quantize_k(jax.lax.clamp(0.0, x, 1.0), bits)


def quantize_gradient(
    x: jax.Array, bits: int, key: jax.Array | None = None
) -> jax.Array:
    """x itself; rounds the gradient that flows back (Zhou et al. 2016, Eqs. 11-12).

    With dr the gradient, M = max_0 |dr| its maximum over all axes but the first, that
    is one scale for each example, and s ~ U(-1/2, 1/2),

        dr_hat = 2 M [quantize_k(clip(dr / (2 M) + 1/2 + s / n, 0, 1)) - 1/2].

    With noise it is unbiased: v = n (dr / (2 M) + 1/2) lies in [0, n], and of
    v = i + f the rounding of v + s is i + 1 with probability f and i otherwise. The
    ends are no exception: at |dr| = M, v is 0 or n, no s reaches the next half, and
    dr_hat = dr for sure. So the clip does nothing but catch float errors. Without noise
    (Eq. 11) the error is at most M / n, and dr = 0 is moved to +-M / n each time.

    Args:
        x: f32[b, ...], b examples.
        bits: k, 1 to 8, or 32 for the gradient itself; ValueError otherwise.
        key: draws s, one number an entry; None for no noise.
    """
    require_precision("quantize_gradient", "bits", bits)
    return x if bits == FULL_PRECISION else _quantize_gradient(bits, x, key)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _quantize_gradient(bits, x, key):
    del bits, key
    return x


def _quantize_gradient_fwd(bits, x, key):
    del bits
    return x, key


def _quantize_gradient_bwd(bits, key, dr):
    top = jnp.max(jnp.abs(dr), axis=tuple(range(1, dr.ndim)), keepdims=True)
    unit = dr / (2.0 * jnp.where(top > 0.0, top, 1.0)) + 0.5
    if key is not None:
        noise = draws.uniform(key, dr.shape) - 0.5
        unit += noise / (2**bits - 1)
    code = quantize_k(jax.lax.clamp(0.0, unit, 1.0), bits)
    return 2.0 * top * (code - 0.5), None


_quantize_gradient.defvjp(_quantize_gradient_fwd, _quantize_gradient_bwd)
