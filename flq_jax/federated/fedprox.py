"""FedProx: local steps that are drawn back to where they began."""

import math

import jax
import optax

from flq_jax.federated.descent import batches, descended
from flq_jax.federated.local import LocalUpdate, Loss
from flq_jax.single import single


def fedprox(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch: int,
    mu: float,
    epochs: int = 0,
    steps: int = 0,
) -> LocalUpdate:
    """Minimises f_m(w) + mu / 2 ||w - x||^2 from w = x (Li et al. 2020, Alg. 2), hence

        w <- w - eta (grad f_m(w; batch) + mu (w - x)).

    Args:
        loss: f_m, (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: the client optimizer; its state starts anew each round.
        batch: examples of a step, 1 or more.
        mu: 0 or more and finite; 0 is federated averaging.
        epochs: passes over the client's examples, or
        steps: batches drawn with replacement; one of the two is 1 or more, the other 0.

    Returns:
        The loss is the mean of f_m over the steps, without the penalty; the update
        params - local params.

    Raises:
        ValueError: a number is out of its range; TypeError: the optimizer is none.
    """
    work = batches("fedprox", loss, optimizer, batch, epochs, steps)
    if not 0.0 <= single(mu) < math.inf:
        raise ValueError(f"fedprox: mu must be finite and 0 or more, got {mu=}")

    def update(key, params, shard, memory):
        client = optax.chain(drawn_back(params, mu), optimizer)
        found = descended(loss, client, work, key, params, shard)
        return found.loss, found.moved, memory

    return LocalUpdate(update, **work._asdict())


def drawn_back(start: optax.Params, mu: float) -> optax.GradientTransformation:
    """Adds mu (w - start) to gradients, the gradient of mu / 2 ||w - start||^2."""

    def pulled(updates, params):
        return jax.tree.map(lambda g, w, x: g + mu * (w - x), updates, params, start)

    return optax.stateless(pulled)
