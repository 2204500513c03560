"""To tell what comes next, position by position."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from flq_jax.arguments import require_integer
from flq_jax.models.loss import require_logits
from flq_jax.simulation.metric import Metric, ratio
from flq_jax.tasks.losses import outputs, penalised
from flq_jax.tasks.task import Task


def next_token(model: nn.Module, l2: float = 0.0, num_classes: int = 0) -> Task:
    """Cross-entropy of each position's target, judged over all positions of the test set.

    A sequence's loss is the mean over its positions; a target below 0 is none, as where
    a sequence is padded. Targets [b] are of the last position alone. The metrics are

        test_accuracy:   positions whose largest logit is the target's, by all that count;
        test_perplexity: exp(mean cross-entropy), lower is better.

    Args:
        model: maps tokens i32[b, t] to logits f32[b, t, v], as `CharLSTM` and
            `Transformer`; TypeError unless it is a flax module.
        l2: lambda of the penalty l2 / 2 ||theta||^2, 0 or more; ValueError otherwise.
        num_classes: of the targets; the loss asks as many logits or more, ValueError. 0
            does not ask.

    Returns:
        A `Task` of targets i32[b, t] or i32[b] below v.
    """

    require_integer("next_token", "num_classes", num_classes, 0)

    def positions(logits, targets):
        """(cross-entropies, whether told right, whether they count), [b, t] each."""
        logits, targets = _aligned(logits, targets)
        require_logits("next_token", logits, num_classes)
        there = targets >= 0
        entropies = optax.softmax_cross_entropy_with_integer_labels(
            logits, jnp.where(there, targets, 0)
        )
        right = jnp.argmax(logits, axis=-1) == targets
        return jnp.where(there, entropies, 0.0), right & there, there

    def of_sequences(logits, targets):
        entropies, _, there = positions(logits, targets)
        return jnp.sum(entropies, axis=1) / jnp.maximum(jnp.sum(there, axis=1), 1)

    def told_right(params, inputs, targets):
        _, right, there = positions(outputs(model, params, inputs), targets)
        return jnp.stack([jnp.sum(right, axis=1), jnp.sum(there, axis=1)], axis=1)

    def surprise(params, inputs, targets):
        entropies, _, there = positions(outputs(model, params, inputs), targets)
        return jnp.stack([jnp.sum(entropies, axis=1), jnp.sum(there, axis=1)], axis=1)

    loss = penalised("next_token", model, of_sequences, l2)
    return Task(
        loss,
        {
            "test_accuracy": Metric(told_right, "higher", ratio),
            "test_perplexity": Metric(surprise, "lower", _perplexity),
        },
    )


def _perplexity(means: np.ndarray) -> float:
    return np.exp(ratio(means))


def _aligned(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Logits [b, t, v] and targets [b, t]; ValueError if they do not fit."""
    if targets.ndim == 1:
        logits, targets = logits[:, -1:], targets[:, None]
    if logits.ndim != 3 or logits.shape[:2] != targets.shape:
        raise ValueError(
            "next_token: targets must be [b, t] as the positions of logits [b, t, v], or "
            f"[b], got logits {[*logits.shape]} and targets {[*targets.shape]}"
        )
    return logits, targets
