"""Layers whose weights, inputs and gradients have few bits."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax.quantizers.straight_through import (
    FULL_PRECISION,
    quantize_gradient,
    quantize_weights,
    require_width,
)


class Bits(NamedTuple):
    """Widths of a layer: W, A and G of DoReFa-Net; 32 is full precision.

    Attributes:
        weights: 1 to 8, or 32.
        activations: 1 to 8, or 32.
        gradients: of the gradient that flows back into the layer; 1 to 8, or 32.
    """

    weights: int = FULL_PRECISION
    activations: int = FULL_PRECISION
    gradients: int = FULL_PRECISION


def bits(weights: int, activations: int, gradients: int) -> Bits:
    """`Bits`, checked: ValueError unless each is 1..8 or 32."""
    widths = Bits(weights, activations, gradients)
    for name, width in widths._asdict().items():
        require_width(f"bits: {name}", width)
    return widths


class QuantDense(nn.Module):
    """y = x Q(W)^T + b, with low-bit weights and a low-bit gradient of y.

    The weights are mapped as in DoReFa-Net and, at 2 to 8 bits, multiplied by the
    layer's own max |tanh W|, so that they are tanh W, rounded: DoReFa leaves them on
    [-1, 1] because batch normalization follows, and here none does. At 1 bit they have their
    scale E|W| already. The bias is in full precision.

    The kernel is stored [out, in]: then per-client gradients are products of contiguous
    rows. At gradient widths below 32 a stream of random numbers named "gradient" makes
    the rounding unbiased; without it the rounding is deterministic.

    Attributes:
        features: out.
        widths: W and G of the layer; A is the business of what comes before it.
        use_bias: whether there is b.
    """

    features: int
    widths: Bits = Bits()
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """f32[b, in] -> f32[b, out]."""
        shape = self.features, x.shape[-1]
        init = nn.initializers.glorot_uniform(in_axis=-1, out_axis=-2)
        w = self.param("kernel", init, shape)
        y = x @ scaled_weights(w, self.widths.weights).T
        if self.use_bias:
            y += self.param("bias", nn.initializers.zeros, (self.features,))[None, :]
        if self.widths.gradients == FULL_PRECISION:
            return y
        key = self.make_rng("gradient") if self.has_rng("gradient") else None
        return quantize_gradient(y, self.widths.gradients, key)


def scaled_weights(w: jax.Array, width: int) -> jax.Array:
    """The low-bit weights of a layer in their own range, f32 like w.

    At 2 to 8 bits they are the grid on [-m, m] next to tanh w, with m = max |tanh w|.
    """
    mapped = quantize_weights(w, width)
    if width in (1, FULL_PRECISION):
        return mapped
    return jnp.max(jnp.abs(jnp.tanh(w))) * mapped
