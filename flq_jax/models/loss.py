"""What the clients minimise, and what is counted at the end."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from flq_jax.data.clients import scaled


def classification_loss(model: nn.Module, l2: float) -> Callable[..., jax.Array]:
    """f = sum_i weights_i ce_i + l2/2 ||theta||^2, over all parameters (Sun et al. 2019).

    ce_i is the softmax cross-entropy of example i.

    Args:
        model: f32[b, ...] -> logits f32[b, classes].
        l2: lambda, 0 or more; ValueError otherwise.

    Returns:
        (params, inputs f32[b, ...], labels i32[b], weights f32[b], key) -> f32[]; `key`
        is of the model's own noise, None for a model that has none.
    """
    if not l2 >= 0.0:
        raise ValueError(f"classification_loss: l2 must be 0 or more, got {l2=}")

    def loss(params, inputs, labels, weights, key):
        rngs = {} if key is None else {"gradient": key}
        logits = model.apply(params, inputs, rngs=rngs)
        entropies = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        squares = [jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(params)]
        return jnp.dot(weights, entropies) + 0.5 * l2 * sum(squares)

    return loss


def num_correct(
    model: nn.Module, params, inputs: jax.Array, labels: jax.Array
) -> jax.Array:
    """How many of the inputs, u8 or f32[n, ...], have the largest logit at their label."""
    logits = model.apply(params, scaled(inputs))
    return jnp.sum(jnp.argmax(logits, axis=-1) == labels)
