"""To tell numbers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.simulation.metric import Metric
from flq_jax.tasks.losses import affine, outputs, penalised
from flq_jax.tasks.task import Task


def regression(model: nn.Module, l2: float = 0.0) -> Task:
    """Half the squared error, judged by its root mean square on the test examples.

        f(theta) = sum_i weights_i ||y_i - t_i||^2 / 2 + l2 / 2 ||theta||^2,
        test_rmse = sqrt(mean (y - t)^2), lower is better.

    Args:
        model: maps inputs to outputs f32[b, k], k = 1 for targets [b], such as
            `Logistic(1)` or `MLP((64,), 1)`; TypeError unless it is a flax module.
        l2: lambda, 0 or more; ValueError otherwise.

    Returns:
        A `Task` of targets f32[b] or f32[b, ...] of as many numbers. It is convex for
        `Logistic` at full precision.
    """

    def of_examples(found, targets):
        return jnp.sum(jnp.square(_errors(found, targets)), axis=1) / 2

    def squared(params, inputs, targets):
        errors = _errors(outputs(model, params, inputs), targets)
        return jnp.mean(jnp.square(errors), axis=1)

    loss = penalised("regression", model, of_examples, l2)
    metrics = {"test_rmse": Metric(squared, "lower", np.sqrt)}
    return Task(loss, metrics, convex=affine(model))


def _errors(found: jax.Array, targets: jax.Array) -> jax.Array:
    """y - t, f32[b, k]; ValueError unless they are as many."""
    rows = targets.shape[0]
    flat = targets.reshape(rows, -1).astype(jnp.float32)
    if found.size != flat.size or found.shape[0] != rows:
        raise ValueError(
            "regression: the model must give as many numbers as targets, got outputs "
            f"{[*found.shape]} and targets {[*targets.shape]}"
        )
    return found.reshape(flat.shape) - flat
