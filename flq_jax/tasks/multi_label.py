"""To tell which of many labels an example has."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from flq_jax.simulation.metric import Metric, ratio
from flq_jax.tasks.losses import affine, outputs, penalised
from flq_jax.tasks.task import Task


def multi_label(model: nn.Module, l2: float = 0.0) -> Task:
    """Mean binary cross-entropy of all labels, judged by the micro-averaged F1.

        test_f1 = 2 TP / (2 TP + FP + FN), counted over all examples and labels,

    where a label is told of an example if its logit is above 0.

    Args:
        model: maps inputs to logits f32[b, c]; TypeError unless it is a flax module.
        l2: lambda of the penalty l2 / 2 ||theta||^2, 0 or more; ValueError otherwise.

    Returns:
        A `Task` of targets [b, c], bool or 0 and 1. It is convex for `Logistic` at full
        precision.
    """

    def of_examples(logits, targets):
        _require_fit(logits, targets)
        wanted = targets.astype(jnp.float32)
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, wanted), axis=1)

    def hits(params, inputs, targets):
        logits = outputs(model, params, inputs)
        _require_fit(logits, targets)
        told, true = logits > 0.0, targets.astype(bool)
        both, either = jnp.sum(told & true, axis=1), jnp.sum(told, axis=1)
        return jnp.stack([2 * both, either + jnp.sum(true, axis=1)], axis=1)

    loss = penalised("multi_label", model, of_examples, l2)
    metrics = {"test_f1": Metric(hits, "higher", ratio)}
    return Task(loss, metrics, convex=affine(model))


def _require_fit(logits: jax.Array, targets: jax.Array) -> None:
    if logits.shape != targets.shape:
        raise ValueError(
            "multi_label: targets must be [b, c] as the logits, got logits "
            f"{[*logits.shape]} and targets {[*targets.shape]}"
        )
