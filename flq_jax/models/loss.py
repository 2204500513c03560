"""What a client minimises, and what the server reports."""

import math
from collections.abc import Callable
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from flq_jax.arguments import require_integer
from flq_jax.precision import EXACT
from flq_jax.single import single


def classification_loss(
    model: nn.Module, l2: float = 0.0, num_classes: int = 0
) -> Callable[..., jax.Array]:
    """Weighted cross-entropy with a penalty on all parameters (Sun et al. 2019).

        f(theta) = sum_i weights_i ce_i(theta) + l2 / 2 ||theta||^2,
        ce_i = -log softmax(logits_i)[labels_i].

    The penalty is on the parameters themselves, not on what they are rounded to, biases
    included.

    Args:
        model: maps inputs to logits f32[b, c]; TypeError unless it is a flax module.
        l2: lambda, 0 or more; ValueError otherwise.
        num_classes: K of the labels, for which the loss asks K logits or more; 0 does not
            ask.

    Returns:
        loss(params, inputs, labels, weights, key=None) -> f32[], with the parameters
        `model.init(...)["params"]`, inputs f32[b, ...], labels i32[b] in 0..c-1 and
        weights f32[b]. These add up to 1; or all are 0, for a client without examples,
        of whose loss only the penalty remains. `key` feeds the noise of rounded
        gradients, None leaves it out.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"classification: model must be a flax module, got {type(model).__name__}"
        )
    if not 0.0 <= single(l2) < math.inf:
        raise ValueError(f"classification: l2 must be finite and 0 or more, got {l2=}")

    require_integer("classification", "num_classes", num_classes, 0)

    def loss(params, inputs, labels, weights, key=None):
        rngs = None if key is None else {"gradient": key}
        logits = cast(jax.Array, model.apply({"params": params}, inputs, rngs=rngs))
        require_logits("classification", logits, num_classes)
        one_hot = jax.nn.one_hot(labels, logits.shape[1])
        losses = optax.softmax_cross_entropy(logits, one_hot)
        total = jnp.dot(weights, losses, precision=EXACT)
        if l2 == 0.0:
            return total
        return total + l2 / 2 * optax.tree.norm(params, squared=True)

    return loss


def require_logits(where: str, logits: jax.Array, num_classes: int) -> None:
    """Raises ValueError if logits f32[..., c] are fewer than the classes that there are.

    Labels beyond them would be learned at no loss, and told wrong.
    """
    if logits.shape[-1] < num_classes:
        raise ValueError(
            f"{where}: the model must give a logit for each of the {num_classes} classes, "
            f"got {logits.shape[-1]}"
        )


def predict(model: nn.Module, params, inputs: jax.Array) -> jax.Array:
    """The most likely class of each example: f32[b, ...] -> i32[b]."""
    return jnp.argmax(cast(jax.Array, model.apply({"params": params}, inputs)), axis=1)


def num_correct(
    model: nn.Module, params, inputs: jax.Array, labels: jax.Array
) -> jax.Array:
    """How many of the examples f32[b, ...] get their label i32[b]: i32[]."""
    return jnp.sum(predict(model, params, inputs) == labels)
