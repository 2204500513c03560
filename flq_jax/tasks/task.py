"""What a federation is to learn."""

from collections.abc import Mapping
from typing import NamedTuple

from flq_jax.federated import Loss
from flq_jax.simulation.evaluation import Judge


class Task(NamedTuple):
    """A loss to minimise, and what the model is judged by meanwhile.

    Attributes:
        loss: the clients' local loss, (params, inputs [b, ...], targets [b, ...], weights
            f32[b], key) -> f32[], see `gradient`.
        metrics: name -> (params, inputs [b, ...], targets [b, ...]) -> a value of each
            example, [b], of which a line of figures has the mean over the test examples;
            or a `Metric`, which says as well which direction is better. The first is the
            one that runs are compared by.
        convex: whether the loss is convex in the parameters, so that its least value f*
            can be solved for.
    """

    loss: Loss
    metrics: Mapping[str, Judge]
    convex: bool = False
