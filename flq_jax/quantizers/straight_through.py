"""Low-bit weights, activations and gradients that a gradient passes straight through.

After DoReFa-Net (Zhou et al. 2016). Rounding has a zero gradient almost everywhere; here
its backward pass is the identity, and everything around it is differentiated as it is.
`bits = 32` stands for full precision throughout.
"""

from functools import partial

import jax
import jax.numpy as jnp

FULL_PRECISION = 32


def require_width(where: str, bits: int) -> None:
    """Raises ValueError unless `bits` is 1..8 or 32."""
    if isinstance(bits, bool) or bits not in (*range(1, 9), FULL_PRECISION):
        raise ValueError(
            f"{where}: bits must be in 1..8, or 32 for floats, got {bits=}"
        )


@jax.custom_jvp
def _passed(x: jax.Array, value: jax.Array) -> jax.Array:
    """`value` forward; backward the gradient is x's, as though value were x."""
    del x
    return value


@_passed.defjvp
def _passed_jvp(primals, tangents):
    return primals[1], tangents[0]


def quantize_k(x: jax.Array, bits: int) -> jax.Array:
    """round((2^k - 1) x) / (2^k - 1) (Zhou et al. 2016, Eqs. 5-6).

    Backward: the identity.

    Args:
        x: f32[...] in [0, 1]; what lies outside is rounded to the grid's continuation.
        bits: k, 1 to 8; ValueError otherwise. 32 returns x.
    """
    require_width("quantize_k", bits)
    if bits == FULL_PRECISION:
        return x
    top = 2**bits - 1
    return _passed(x, jnp.round(top * x) / top)


def tanh_weights(w: jax.Array, bits: int) -> jax.Array:
    """2 quantize_k(tanh w / (2 max |tanh w|) + 1/2) - 1 (Zhou et al. 2016, Eq. 9).

    The maximum is over all of w. Backward: through tanh and through the maximum, straight
    through the rounding.

    Args:
        w: f32[...], the weights of one layer; all zero, they map to the grid's middle.
        bits: k, 2 to 8; ValueError otherwise.

    Returns:
        f32[...] on the 2^k points of a uniform grid on [-1, 1].
    """
    if bits == 1:
        raise ValueError(f"tanh_weights: bits must be 2 or more, got {bits=}")
    mapped = jnp.tanh(w)
    largest = jnp.max(jnp.abs(mapped))
    largest = jnp.where(largest > 0.0, largest, 1.0)
    return 2.0 * quantize_k(mapped / (2.0 * largest) + 0.5, bits) - 1.0


def sign_weights(w: jax.Array, per_channel: bool = False) -> jax.Array:
    """E(|w|) sign(w), sign(0) = +1 (Zhou et al. 2016, Eqs. 7-8).

    Backward: the identity; E is a constant.

    Args:
        w: f32[out, ...].
        per_channel: one E for each output channel, the leading axis (Rastegari et al.
            2016), in place of one for the layer.
    """
    axes = tuple(range(1, w.ndim)) if per_channel else None
    scale = jnp.mean(jnp.abs(w), axis=axes, keepdims=per_channel)
    return _passed(w, jnp.where(w >= 0.0, scale, -scale))


def quantize_weights(w: jax.Array, bits: int) -> jax.Array:
    """`sign_weights` at 1 bit, `tanh_weights` at 2 to 8, w itself at 32."""
    require_width("quantize_weights", bits)
    if bits == FULL_PRECISION:
        return w
    return sign_weights(w) if bits == 1 else tanh_weights(w, bits)


def clipped_activation(x: jax.Array, bits: int) -> jax.Array:
    """quantize_k(clip(x, 0, 1)) (Zhou et al. 2016, Eq. 10); at 32 bits max(x, 0).

    Backward: the identity where 0 <= x <= 1, zero elsewhere.
    """
    require_width("clipped_activation", bits)
    if bits == FULL_PRECISION:
        return jax.nn.relu(x)
    return quantize_k(jnp.clip(x, 0.0, 1.0), bits)


def quantize_gradient(
    x: jax.Array, bits: int, key: jax.Array | None = None
) -> jax.Array:
    """x itself, whose gradient dr is rounded to k bits (Zhou et al. 2016, Eqs. 11-12).

    With m = max |dr| over every axis but the first, one for each instance,

        f(dr) = 2 m [quantize_k(clip(dr / (2 m) + 1/2 + N(k), 0, 1)) - 1/2],

    where N(k) = sigma / (2^k - 1), sigma ~ U(-1/2, 1/2), if a key is given: the rounding
    is then unbiased, E f(dr) = dr. (At |dr| = m too: noise that leads beyond the last
    point is clipped to it, and noise that leads inside rounds back to it.)

    Args:
        x: f32[b, ...].
        bits: k, 1 to 8, or 32 for the gradient as it is; ValueError otherwise.
        key: of the noise; None adds none.
    """
    require_width("quantize_gradient", bits)
    if bits == FULL_PRECISION:
        return x
    return _gradient_quantized(bits, x, key)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gradient_quantized(bits, x, key):
    del bits, key
    return x


def _forward(bits, x, key):
    del bits
    return x, key


def _backward(bits, key, dr):
    top = 2**bits - 1
    largest = jnp.max(jnp.abs(dr), axis=tuple(range(1, dr.ndim)), keepdims=True)
    span = 2.0 * jnp.where(largest > 0.0, largest, 1.0)
    unit = dr / span + 0.5
    if key is not None:
        unit += (jax.random.uniform(key, dr.shape) - 0.5) / top
    rounded = jnp.round(top * jnp.clip(unit, 0.0, 1.0)) / top
    # An instance without a gradient has none afterwards, whatever the grid.
    return jnp.where(largest > 0.0, span * (rounded - 0.5), 0.0), None


_gradient_quantized.defvjp(_forward, _backward)
