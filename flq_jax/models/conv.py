"""A convolution whose weights, inputs and gradients have a few bits."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax.kernels import bit_conv
from flq_jax.kernels.geometry import resolve, taps
from flq_jax.models.layers import LowBitLayer

Pair = tuple[int, int]


class QuantConv(LowBitLayer):
    """A convolution of low-bit weights, y = a(x) * q(W) + b, NHWC by HWIO.

    See `LowBitLayer`. The float path is a matrix product of the windows (see
    `convolve`), the packed one `bit_conv` on the integers that a(x) and q(W) stand for.

    Attributes:
        features: number of output channels.
        kernel: rows and columns of the window.
        stride: of the window.
        padding: "SAME", "VALID" or ((top, bottom), (left, right)); pads count as 0.
    """

    features: int
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: str | tuple[Pair, Pair] = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps f32[b, h, w, in] to f32[b, ho, wo, out]; ValueError for others."""
        if x.ndim != 4 or not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(
                "QuantConv: inputs must be floats [b, h, w, in], got "
                f"{x.dtype}{[*x.shape]}"
            )
        shape = (*self.kernel, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
        where = {"stride": self.stride, "padding": self.padding}
        return self.low_bit(
            x, kernel, partial(convolve, **where), partial(bit_conv, **where)
        )


def convolve(
    x: jax.Array, w: jax.Array, stride: Pair = (1, 1), padding="SAME"
) -> jax.Array:
    """A convolution as one product of windows, [b ho wo, kh kw c] by [kh kw c, o].

    On a CPU the gradient of `lax.conv_general_dilated` with respect to each client's
    own weights takes several times as long, and inside a loop over rounds far more.

    Args:
        x: f32[b, h, w, c].
        w: f32[kh, kw, c, o].
        stride: of the window.
        padding: see `flq_jax.kernels.geometry.resolve`.

    Returns:
        f32[b, ho, wo, o].
    """
    *kernel, _, outputs = w.shape
    geometry = resolve(x.shape[1:3], tuple(kernel), stride, 1, padding)
    windows = jnp.concatenate(list(taps(x, geometry)), -1)
    flat = windows.reshape(-1, windows.shape[-1])
    return (flat @ w.reshape(-1, outputs)).reshape(*windows.shape[:-1], outputs)


def max_pool(x: jax.Array) -> jax.Array:
    """Maxima of 2 x 2 cells, f32[b, h, w, c] -> f32[b, h // 2, w // 2, c].

    A last row or column that fills no cell is left out. Written with slices, it and its
    gradient take a fraction of `nn.max_pool`'s time on a CPU; among equal maxima the
    gradient is shared.
    """
    b, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2].reshape(b, h // 2, 2, w // 2, 2, c)
    rows = jnp.maximum(x[:, :, 0], x[:, :, 1])
    return jnp.maximum(rows[:, :, :, 0], rows[:, :, :, 1])
