"""Layers whose weights, inputs and gradients have a few bits."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer, shown
from flq_jax.kernels import Codes, bit_matmul
from flq_jax.models.integers import input_codes, weight_codes
from flq_jax.precision import TRAINED
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


def require_layer_bits(where: str, bits: Any) -> None:
    """Raises TypeError unless `bits` is a `Bits`."""
    if not isinstance(bits, Bits):
        raise TypeError(
            f"{where}: bits must be as in Bits(8, 8, 8), got bits={shown(bits)}"
        )


def require_range(where: str, name: str, value: Any) -> None:
    """Raises ValueError unless `value` is a finite number above 0, as f32 too."""
    if not 0.0 < single(value) < math.inf:
        raise ValueError(
            f"{where}: {name} must be finite and above 0, got {name}={shown(value)}"
        )


def require_low_bit_network(network: Any) -> None:
    """Raises an error in one line unless the fields that networks share are good.

    These are num_classes, 1 or more, `bits` and `edge_bits` (`require_layer_bits`) and
    hidden_range (`require_range`).
    """
    where = type(network).__name__
    require_integer(where, "num_classes", network.num_classes, 1)
    require_layer_bits(where, network.bits)
    require_layer_bits(where, network.edge_bits)
    require_range(where, "hidden_range", network.hidden_range)


class LowBitLayer(nn.Module, kw_only=True):
    """What layers with low-bit products have in common, after Zhou et al. (2016).

    y = a(x) q(W) + b, where the product is a subclass's. a(x) rounds the layer's own
    inputs, R clip(x / R, 0, 1) to A bits (Eq. 10), so that between layers stands a plain
    ReLU and the whole product is one of W-bit and A-bit integers. Inputs must not be
    negative if A < 32, as images in [0, 1] and outputs of a ReLU are; the values k / 255
    of an image in bytes are exact at A = 8, R = 1. Inputs of both signs, as a hidden
    state or what is normalized, are `signed`: clipped to [-R, R], to the 2**A levels
    R (2 k / n - 1), n = 2**A - 1, of which none is 0. q(W) is `quantize_weights`. The
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
        signed: whether inputs may be negative though A < 32.
        packed: whether to compute on packed integers, for evaluation: equal but for a
            rounding of floats, and without gradient. A layer with W or A of 32 bits
            computes in floats all the same.
    """

    use_bias: bool = True
    bits: Bits = Bits()
    rescale: bool = True
    input_range: float = 1.0
    signed: bool = False
    packed: bool = False

    def __post_init__(self):
        where = type(self).__name__
        require_layer_bits(where, self.bits)
        require_range(where, "input_range", self.input_range)
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
        y = self.multiplier(kernel, product, packed_product)(x)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (y.shape[-1],))
            y += jnp.expand_dims(bias, range(y.ndim - 1))
        return quantize_gradient(y, bits.gradients, self.gradient_key())

    def multiplier(
        self,
        kernel: jax.Array,
        product: Callable[[jax.Array, jax.Array], jax.Array],
        packed_product: Callable[[Codes, Codes], jax.Array],
    ) -> Callable[[jax.Array], jax.Array]:
        """x -> a(x) q(W), whose q(W) is computed once, however often it is called."""
        bits, most = self.bits, self.input_range
        if self.packed and max(bits.weights, bits.activations) < FULL_PRECISION:
            coded, unit = weight_codes(kernel, bits.weights, self.rescale)

            def multiplied(x):
                codes, scale = input_codes(x, bits.activations, most, self.signed)
                return scale * unit * packed_product(codes, coded)

            return multiplied
        weights = quantize_weights(kernel, bits.weights, self.rescale)
        return lambda x: product(self.rounded(x), weights)

    def rounded(self, x: jax.Array) -> jax.Array:
        """a(x), f32[...], see above."""
        bits, most = self.bits.activations, self.input_range
        if bits == FULL_PRECISION:
            return x
        if self.signed:
            unit = clipped_activation(x / (2.0 * most) + 0.5, bits)
            return most * (2.0 * unit - 1.0)
        return most * clipped_activation(x / most, bits)

    def gradient_key(self) -> jax.Array | None:
        """A key for the noise of the rounded gradient; None where there is none."""
        noisy = self.bits.gradients < FULL_PRECISION and self.has_rng("gradient")
        return self.make_rng("gradient") if noisy else None


class QuantDense(LowBitLayer):
    """A dense layer of low-bit weights, y = a(x) q(W)^T + b: see `LowBitLayer`.

    Attributes:
        features: number of outputs, 1 or more; ValueError otherwise.
    """

    features: int

    def __post_init__(self):
        require_integer("QuantDense", "features", self.features, 1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps f32[b, ..., in] to f32[b, ..., out]; ValueError for others."""
        if x.ndim < 2 or not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(
                "QuantDense: inputs must be floats [b, ..., in], got "
                f"{x.dtype}{[*x.shape]}"
            )
        kernel = self.param("kernel", glorot_uniform, (self.features, x.shape[-1]))
        return self.low_bit(x, kernel, dense_product, packed_dense_product)


def dense_product(x: jax.Array, w: jax.Array) -> jax.Array:
    """x W^T, f32[..., in] by f32[out, in] -> f32[..., out].

    Written with `w.T` it would, in a loop over clients, copy the weights at every step.
    """
    over = ((x.ndim - 1,), (1,)), ((), ())
    return jax.lax.dot_general(x, w, over, precision=TRAINED)


def packed_dense_product(x: Codes, w: Codes) -> jax.Array:
    """The same of codes, as i32."""
    *rows, length = x.codes.shape
    flat = Codes(x.codes.reshape(-1, length), x.bits, x.signed)
    return bit_matmul(flat, Codes(w.codes.T, w.bits, w.signed)).reshape(*rows, -1)


def flatten(x: jax.Array) -> jax.Array:
    """Reshapes f32[b, ...] to f32[b, d]; ValueError for a rank below 2."""
    if x.ndim < 2:
        raise ValueError(f"flatten: inputs must be [b, ...], got {x.shape=}")
    return x.reshape(x.shape[0], -1)
