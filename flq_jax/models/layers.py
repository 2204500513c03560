"""Layers whose weights, inputs and gradients have a few bits."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax.kernels import Codes, bit_matmul
from flq_jax.models.integers import input_codes, weight_codes
from flq_jax.quantizers.straight_through import (
    FULL_PRECISION,
    clipped_activation,
    quantize_gradient,
    quantize_weights,
    require_precision,
)
from flq_jax.single import single

# Kernels are stored [out, in]: the gradients of many clients at once are then cheaper.
glorot_uniform = nn.initializers.glorot_uniform(in_axis=1, out_axis=0)


@dataclass(frozen=True)
class Bits:
    """The widths of a layer, W/A/G for short; 32 stands for full precision.

    Each is 1 to 8 or 32; ValueError otherwise.

    Attributes:
        weights: W, of the layer's kernel; biases are never rounded.
        activations: A, of the layer's inputs.
        gradients: G, of the loss's gradient with respect to the layer's outputs.
    """

    weights: int = FULL_PRECISION
    activations: int = FULL_PRECISION
    gradients: int = FULL_PRECISION

    def __post_init__(self):
        for field in fields(self):
            require_precision("Bits", field.name, getattr(self, field.name))


class LowBitLayer(nn.Module, kw_only=True):
    """What layers with low-bit products have in common, after Zhou et al. (2016).

    y = a(x) q(W) + b, where the product is a subclass's. a(x) rounds the layer's own
    inputs, R clip(x / R, 0, 1) to A bits (Eq. 10), so that between layers stands a plain
    ReLU and the whole product is one of W-bit and A-bit integers. Inputs must not be
    negative if A < 32, as images in [0, 1] and outputs of a ReLU are; the values k / 255
    of an image in bytes are exact at A = 8, R = 1. q(W) is `quantize_weights`. The
    gradient with respect to y is `quantize_gradient`'s, with noise from the random
    stream "gradient" if `apply` is given one, and without otherwise. At 32 bits nothing
    at all is added to x W + b.

    Attributes:
        use_bias: whether there is a b, f32[out], initially 0.
        bits: W, A and G.
        rescale: whether weights of 2 to 8 bits keep the range of W, see `tanh_weights`,
            as a layer without normalization does at full precision. False is Eq. 9 to
            the letter: weights fill [-1, 1], whatever a penalty does to W.
        input_range: R > 0, where inputs are clipped if A < 32; ValueError otherwise.
        packed: whether to compute on packed integers, for evaluation: equal but for a
            rounding of floats, and without gradient. A layer with W or A of 32 bits
            computes in floats all the same.
    """

    use_bias: bool = True
    bits: Bits = Bits()
    rescale: bool = True
    input_range: float = 1.0
    packed: bool = False

    def __post_init__(self):
        if not 0.0 < single(self.input_range) < math.inf:
            raise ValueError(
                f"{type(self).__name__}: input_range must be finite and above 0, got "
                f"input_range={self.input_range}"
            )
        super().__post_init__()

    def low_bit(
        self,
        x: jax.Array,
        kernel: jax.Array,
        product: Callable[[jax.Array, jax.Array], jax.Array],
        packed_product: Callable[[Codes, Codes], jax.Array],
    ) -> jax.Array:
        """y for inputs and a kernel; both products see what `bits` leave of them."""
        bits = self.bits
        if self.packed and max(bits.weights, bits.activations) < FULL_PRECISION:
            codes, scale = input_codes(x, bits.activations, self.input_range)
            weights, unit = weight_codes(kernel, bits.weights, self.rescale)
            y = scale * unit * packed_product(codes, weights)
        else:
            if bits.activations < FULL_PRECISION:
                scaled = clipped_activation(x / self.input_range, bits.activations)
                x = self.input_range * scaled
            y = product(x, quantize_weights(kernel, bits.weights, self.rescale))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (y.shape[-1],))
            y += jnp.expand_dims(bias, range(y.ndim - 1))
        noisy = bits.gradients < FULL_PRECISION and self.has_rng("gradient")
        key = self.make_rng("gradient") if noisy else None
        return quantize_gradient(y, bits.gradients, key)


class QuantDense(LowBitLayer):
    """A dense layer of low-bit weights, y = a(x) q(W)^T + b: see `LowBitLayer`.

    Attributes:
        features: number of outputs.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps f32[b, in] to f32[b, out]; ValueError for another rank or dtype."""
        if x.ndim != 2 or not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(
                f"QuantDense: inputs must be floats [b, in], got {x.dtype}{[*x.shape]}"
            )
        kernel = self.param("kernel", glorot_uniform, (self.features, x.shape[1]))
        return self.low_bit(x, kernel, _float_product, _packed_product)


def _float_product(x: jax.Array, w: jax.Array) -> jax.Array:
    """x w^T, of f32[b, in] and f32[out, in].

    Written with `w.T` it would, in a loop over clients, copy the weights at every step.
    """
    return jax.lax.dot_general(x, w, (((1,), (1,)), ((), ())))


def _packed_product(x: Codes, w: Codes) -> jax.Array:
    return bit_matmul(x, Codes(w.codes.T, w.bits, w.signed))


def flatten(x: jax.Array) -> jax.Array:
    """Reshapes f32[b, ...] to f32[b, d]; ValueError for a rank below 2."""
    if x.ndim < 2:
        raise ValueError(f"flatten: inputs must be [b, ...], got {x.shape=}")
    return x.reshape(x.shape[0], -1)
