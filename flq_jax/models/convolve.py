"""Convolutions and pools, formulated as the platform that runs them likes it.

An accelerator has XLA's own convolution, whose gradients its library knows. On a CPU XLA
(as of jax 0.10) puts a convolution into the form of the CPU's fast routine outside
loops only: in a loop over rounds or clients the gradients of `lax.conv_general_dilated`
take many times as long. Those of a wide layer are therefore written in that form here:
examples first, channels last, nothing reversed. A narrow layer's few channels would fill
few lanes of a vector; it is a matrix product over windows, with the examples as the last
axis, along which memory is contiguous. `python -m benchmarks.convolutional_step` sets
both beside flax's layers.
"""

from functools import partial

import jax
import jax.numpy as jnp

from flq_jax.kernels.geometry import DIMENSIONS, Geometry, Pair, resolve, taps
from flq_jax.precision import TRAINED

_matmul = partial(jnp.matmul, precision=TRAINED)
_canonical = partial(
    jax.lax.conv_general_dilated, dimension_numbers=DIMENSIONS, precision=TRAINED
)
WIDE = 32  # channels of the output, or of what is pooled


def convolve(
    x: jax.Array, w: jax.Array, stride: Pair = (1, 1), padding="SAME"
) -> jax.Array:
    """A convolution, with gradients of first order with respect to x and w.

    A CPU takes clients with weights of their own faster in a loop than by `jax.vmap`,
    which makes wide layers grouped convolutions: see `in_groups`.

    Args:
        x: f32[b, h, w, c].
        w: f32[kh, kw, c, o].
        stride: of the window.
        padding: see `flq_jax.kernels.geometry.resolve`.

    Returns:
        f32[b, ho, wo, o].
    """
    geometry = resolve(
        (x.shape[1], x.shape[2]), (w.shape[0], w.shape[1]), stride, 1, padding
    )
    on_cpu = _direct if w.shape[3] >= WIDE else _by_windows
    forms = {"cpu": on_cpu, "default": _own}
    return jax.lax.platform_dependent(
        x, w, **{name: partial(form, geometry=geometry) for name, form in forms.items()}
    )


def max_pool(x: jax.Array) -> jax.Array:
    """Maxima of 2 x 2 cells, f32[b, h, w, c] -> f32[b, h // 2, w // 2, c].

    A last row or column that fills no cell is left out. Among equal maxima the gradient
    is shared.
    """
    if x.shape[3] >= WIDE:
        return _pooled(x)
    return jax.lax.platform_dependent(x, cpu=_pooled_swapped, default=_pooled)


def _pooled(x: jax.Array) -> jax.Array:
    return _halved(_halved(x, 1), 2)


def _pooled_swapped(x: jax.Array) -> jax.Array:
    return _swapped(_pooled(_swapped(x)))


def _own(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
    """As XLA has it, and the gradients as well."""
    return _canonical(x, w, geometry.stride, geometry.padding)


def _swapped(x: jax.Array) -> jax.Array:
    """Examples and channels change places, [b, h, w, c] <-> [c, h, w, b]."""
    return x.transpose(3, 1, 2, 0)


def _halved(x: jax.Array, axis: int) -> jax.Array:
    """Maxima of pairs along an axis."""
    size = x.shape[axis] // 2
    pairs = jax.lax.slice_in_dim(x, 0, 2 * size, axis=axis)
    pairs = pairs.reshape(*x.shape[:axis], size, 2, *x.shape[axis + 1 :])
    first, second = (jax.lax.index_in_dim(pairs, i, axis + 1, False) for i in (0, 1))
    return jnp.maximum(first, second)


def _by_windows(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
    windows = jnp.concatenate(list(taps(_swapped(x), geometry)))
    flat = windows.reshape(len(windows), -1)
    y = _product(w.reshape(-1, w.shape[3]), flat)
    return _swapped(y.reshape(-1, *windows.shape[1:]))


@jax.custom_vjp
def _product(w: jax.Array, windows: jax.Array) -> jax.Array:
    """f32[k, o] and f32[k, n] -> f32[o, n], k = kh kw c and n = ho wo b."""
    return _matmul(w.T, windows)


def _product_fwd(w, windows):
    return _product(w, windows), (w, windows)


def _product_bwd(residuals, dy):
    w, windows = residuals
    # [k, o] and [k, n], with nothing transposed: under vmap that would take twice as long.
    return jnp.einsum("kn,on->ko", windows, dy, precision=TRAINED), _matmul(w, dy)


_product.defvjp(_product_fwd, _product_bwd)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _direct(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
    return _canonical(x, w, geometry.stride, geometry.padding)


def _direct_fwd(x, w, geometry):
    return _direct(x, w, geometry), (x, w)


def _direct_bwd(geometry, residuals, dy):
    """Convolutions of dy by the turned weights, and of the images by dy."""
    x, w = residuals
    spread = [s * (n - 1) + 1 for s, n in zip(geometry.stride, geometry.out)]
    sizes = list(zip(geometry.size, geometry.kernel, spread, geometry.padding))
    dx = _canonical(
        dy,
        w[::-1, ::-1].swapaxes(2, 3),
        (1, 1),
        [(k - 1 - low, n - s + low) for n, k, s, (low, _) in sizes],
        lhs_dilation=geometry.stride,
    )
    dw = _canonical(
        _swapped(x),
        dy.transpose(1, 2, 0, 3),
        (1, 1),
        [(low, k - 1 + s - n - low) for n, k, s, (low, _) in sizes],
        rhs_dilation=geometry.stride,
    )
    return dx, dw.transpose(1, 2, 0, 3)


_direct.defvjp(_direct_fwd, _direct_bwd)
