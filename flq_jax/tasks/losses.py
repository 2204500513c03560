"""Weighted losses of examples, with a penalty on the parameters."""

import math
from collections.abc import Callable
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from flq_jax.arguments import require_instance, shown
from flq_jax.federated import Loss
from flq_jax.models import Bits, Logistic
from flq_jax.precision import EXACT
from flq_jax.single import single


def penalised(
    where: str,
    model: nn.Module,
    of_examples: Callable[[jax.Array, jax.Array], jax.Array],
    l2: float,
) -> Loss:
    """f(theta) = sum_i weights_i of_examples_i + l2 / 2 ||theta||^2.

    Args:
        where: the task.
        model: maps inputs to outputs, see `outputs`.
        of_examples: (outputs [b, ...], targets [b, ...]) -> f32[b].
        l2: lambda, 0 or more.

    Returns:
        loss(params, inputs, targets, weights, key=None) -> f32[], see
        `classification_loss`.

    Raises:
        TypeError: model is no flax module; ValueError: l2 is out of its range.
    """
    require_instance(where, "model", model, nn.Module)
    if not 0.0 <= single(l2) < math.inf:
        raise ValueError(
            f"{where}: l2 must be finite and 0 or more, got l2={shown(l2)}"
        )

    def loss(params, inputs, targets, weights, key=None):
        losses = of_examples(outputs(model, params, inputs, key), targets)
        total = jnp.dot(weights, losses, precision=EXACT)
        if l2 == 0.0:
            return total
        return total + l2 / 2 * optax.tree.norm(params, squared=True)

    return loss


def outputs(
    model: nn.Module, params: Any, inputs: jax.Array, key: jax.Array | None = None
) -> jax.Array:
    """What the model makes of inputs; `key` feeds the noise of rounded gradients."""
    rngs = None if key is None else {"gradient": key}
    return cast(jax.Array, model.apply({"params": params}, inputs, rngs=rngs))


def affine(model: nn.Module) -> bool:
    """Whether its outputs are affine in the parameters, so that their loss is convex."""
    return isinstance(model, Logistic) and model.bits == Bits()
