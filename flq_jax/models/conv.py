"""A convolution whose weights, inputs and gradients have a few bits."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax.kernels import bit_conv
from flq_jax.kernels.geometry import Pair
from flq_jax.models.convolve import convolve
from flq_jax.models.layers import LowBitLayer


class QuantConv(LowBitLayer):
    """A convolution of low-bit weights, y = a(x) * q(W) + b, NHWC by HWIO.

    See `LowBitLayer`. The float path is `convolve`, the packed one `bit_conv` on the
    integers that a(x) and q(W) stand for.

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
