"""What a model costs: parameters by width, memory, multiply-adds, bit operations."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict
from jax.typing import DTypeLike

from flq_jax.models.layers import Bits, LowBitLayer
from flq_jax.models.stateless import require_stateless
from flq_jax.models.transformer import Attention
from flq_jax.quantizers.straight_through import FULL_PRECISION


class LayerCost(NamedTuple):
    """What one layer costs.

    Attributes:
        name: of the layer.
        bits: W, A and G.
        out: shape of its output for one example; () where it has no products.
        params: width -> number of parameters stored at it.
        macs: multiply-adds for one example, of all positions of a sequence.
    """

    name: str
    bits: Bits
    out: tuple[int, ...]
    params: dict[int, int]
    macs: int

    @property
    def num_bits(self) -> int:
        """Bits that the parameters take."""
        return sum(width * count for width, count in self.params.items())

    @property
    def bit_operations(self) -> int:
        """W A for each multiply-add, as in Eq. 3 of Zhou et al. (2016).

        32 x 32 stand for one of floats.
        """
        return self.macs * self.bits.weights * self.bits.activations


def layer_costs(
    model: nn.Module, image: Sequence[int], dtype: DTypeLike = jnp.float32
) -> list[LayerCost]:
    """What each layer costs for one example, in the model's order; nothing is computed.

    Layers without products, as normalizations and embeddings, come last: their parameters
    are floats, their arithmetic is left out. So is that of biases, pools and activations.
    Attention multiplies floats, t^2 pairs of positions twice, masked or not.

    Args:
        model: maps [b, *image] to logits; ValueError if it keeps more than parameters.
        image: the shape of one example: of an image, or (t,) of tokens.
        dtype: of the examples: f32, or i32 for tokens.
    """
    seen, attention = {}, {}

    def look(call, args, kwargs, context):
        y, module = call(*args, **kwargs), context.module
        if context.method_name != "__call__":
            return y
        name = "/".join(module.path)
        if isinstance(module, LowBitLayer):
            seen[name] = module.bits, y.shape[1:]
        if isinstance(module, Attention):
            seen[name] = Bits(), y.shape[1:]
            attention[name] = 2 * y.shape[1] * math.prod(y.shape[1:])
        return y

    with nn.intercept_methods(look):
        example = jax.ShapeDtypeStruct((1, *image), dtype)
        variables = jax.eval_shape(model.init, jax.random.key(0), example)
    require_stateless(model, variables)
    layers = {name: {} for name in seen}
    for (*path, tensor), leaf in flatten_dict(variables["params"]).items():
        # pyrefly: ignore[missing-attribute] no node is empty
        layers.setdefault("/".join(path), {})[tensor] = leaf.size
    plain = Bits(), ()
    return [
        _cost(name, sizes, *seen.get(name, plain), attention.get(name))
        for name, sizes in layers.items()
    ]


def _cost(
    name: str,
    sizes: dict[str, int],
    bits: Bits,
    out: tuple[int, ...],
    macs: int | None,
) -> LayerCost:
    params = {}
    for tensor, size in sizes.items():
        width = bits.weights if tensor == "kernel" else FULL_PRECISION
        params[width] = params.get(width, 0) + size
    if macs is None:
        macs = math.prod(out[:-1]) * sizes["kernel"] if out else 0
    return LayerCost(name, bits, tuple(out), params, macs)
