"""The server's optimizer, as it meets the model: by tensors, and its step on them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from flq_jax.federated.federation import unraveling


def by_tensor(
    optimizer: optax.GradientTransformation, shapes: Any
) -> optax.GradientTransformationExtraArgs:
    """The optimizer of a pytree as one of theta, f32[d].

    A server holds the model as one vector; masks, labels of parts and layer-wise rules
    want the tensors.

    Args:
        optimizer: of params such as `shapes`.
        shapes: the params, or their shapes.
    """
    unravel = unraveling(shapes)
    tensors = optax.with_extra_args_support(optimizer)

    def init(params):
        return tensors.init(unravel(params))

    def update(updates, state, params=None, **extra):
        params = None if params is None else unravel(params)
        updates, state = tensors.update(unravel(updates), state, params, **extra)
        return ravel_pytree(updates)[0], state

    return optax.GradientTransformationExtraArgs(init, update)


def step_along(optimizer: optax.GradientTransformation, shapes: Any) -> float | None:
    """The s of an optimizer whose first update for any gradient g is -s g; else None.

    It is so for SGD, with momentum or without. Where the step depends on the gradient
    (Adam, clipping) or differs from tensor to tensor there is no such number.
    """

    def first(scale):
        params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
        ones = jax.tree.map(lambda leaf: jnp.full(leaf.shape, scale), shapes)
        extra = optax.with_extra_args_support(optimizer)
        updates, _ = extra.update(ones, optimizer.init(params), params, round_index=0)
        each = [jnp.array([jnp.min(u), jnp.max(u)]) for u in jax.tree.leaves(updates)]
        return -jnp.stack(each) / scale

    found = np.asarray(jax.jit(lambda: jnp.stack([first(1.0), first(-4.0)]))())
    step = found.flat[0]
    if not (np.all(found == step) and step > 0.0):
        return None
    return float(str(step))  # 0.1, and not f32's 0.10000000149
