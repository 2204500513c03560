"""The model as the clients hear it."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.quantizers import Quantizer, identity, segmented, tanh_grid, uniform
from flq_jax.quantizers.straight_through import tanh_weights


class Downlink(NamedTuple):
    """How the server's model theta reaches the clients, and gradients come back.

    Attributes:
        quantizer: theta f32[d] -> message -> the clients' model, f32[d].
        pullback: (theta, g) -> f32[d], the gradient at theta for a gradient g at the
            clients' model: straight through the rounding.
    """

    quantizer: Quantizer
    pullback: Callable[[jax.Array, jax.Array], jax.Array]


def exact() -> Downlink:
    """The clients hear the server's own floats."""
    return Downlink(identity(), lambda theta, g: g)


def uniform_downlink(bits: int, sizes: Sequence[int]) -> Downlink:
    """A uniform grid over the range of each tensor; gradients pass straight through.

    Args:
        bits: bits a weight, 1 to 8.
        sizes: lengths of the model's tensors, in the order of theta.
    """
    return Downlink(segmented(uniform(bits), sizes), lambda theta, g: g)


def tanh_downlink(bits: int, sizes: Sequence[int]) -> Downlink:
    """DoReFa's tanh mapping of each tensor to a grid on [-1, 1] (Zhou et al. 2016, Eq. 9).

    The clients' model is 2 quantize_k(tanh theta / (2 max |tanh theta|) + 1/2) - 1, and
    the server pulls gradients back through tanh and the maximum, straight through the
    rounding.

    Args:
        bits: bits a weight, 2 to 8.
        sizes: lengths of the model's tensors, in the order of theta.
    """
    ends = list(accumulate(sizes))[:-1]

    def mapped(theta):
        return jnp.concatenate([tanh_weights(w, bits) for w in jnp.split(theta, ends)])

    def pullback(theta, g):
        return jax.vjp(mapped, theta)[1](g)[0]

    return Downlink(segmented(tanh_grid(bits), sizes), pullback)
