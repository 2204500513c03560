"""FedPM: weights that nobody changes, and how likely each of them is to be there."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from flq_jax.arguments import require_integer
from flq_jax.federated.descent import batches, descended
from flq_jax.federated.local import LocalUpdate, Loss, stateless
from flq_jax.single import single


def sampled_mask(key: jax.Array, scores: Any) -> Any:
    """m ~ Bernoulli(sigmoid(s)), 0 or 1; its gradient is that of sigmoid(s).

    Args:
        key: of the draw.
        scores: s, a pytree of f32.
    """
    leaves, tree = jax.tree.flatten(scores)
    keys = jax.random.split(key, len(leaves))

    def sampled(k, s):
        chance = jax.nn.sigmoid(s)
        mask = (jax.random.uniform(k, s.shape) < chance).astype(s.dtype)
        return chance + jax.lax.stop_gradient(mask - chance)

    return tree.unflatten([sampled(k, s) for k, s in zip(keys, leaves)])


def mask_training(
    loss: Loss,
    weights: Any,
    optimizer: optax.GradientTransformation,
    batch: int,
    epochs: int,
) -> LocalUpdate:
    """Epochs that train the scores of a mask over fixed weights (FedPM, Isik et al. 2023).

    The model is w m, with w fixed and m ~ Bernoulli(sigmoid(s)) drawn anew in each step; the
    params are the scores s, trained straight through the draw. What a client sends is a mask
    drawn by its last scores, `direct(entropy_coded(zero_one()))`; `mask_server` makes scores
    of all clients' masks.

    Read in the authors' public code (BerivanIsik/sparse-random-networks, src/fedssm), whose
    w are +-e / sqrt(fan-in) and whose first scores are standard normal.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], of the model w m.
        weights: w, a pytree like the scores.
        optimizer: of the scores; its state starts anew each round.
        batch, epochs: see `local_epochs`.

    Returns:
        The loss is the mean over the steps, the update the mask, 0 or 1 as f32.
    """
    require_integer("mask_training", "epochs", epochs, 1)
    work = batches("mask_training", loss, optimizer, batch, epochs, 0)

    def of_scores(scores, inputs, labels, shares, key):
        noise, draw = jax.random.split(key)
        masked = jax.tree.map(jnp.multiply, weights, sampled_mask(draw, scores))
        return loss(masked, inputs, labels, shares, noise)

    def update(key, params, shard):
        found = descended(of_scores, optimizer, work, key, params, shard)
        scores = jax.tree.map(jnp.subtract, params, found.moved)
        return found.loss, sampled_mask(jax.random.fold_in(key, epochs), scores)

    return stateless(update, batch=batch, epochs=epochs)


class MaskState(NamedTuple):
    """What the server remembers.

    Attributes:
        total: of the mean masks since the prior was reset.
        rounds: how many they are, i32[].
    """

    total: optax.Updates
    rounds: jax.Array


def mask_server(
    reset: int = 1, epsilon: float = 0.01
) -> optax.GradientTransformationExtraArgs:
    """The mode of a Beta posterior of each mask's chance, as scores (Isik et al. 2023).

    Each mask is an observation, of 1 - epsilon or epsilon for 1 or 0, on a uniform prior:

        A = 1 + sum m,   B = 1 + sum (1 - m),   theta = (A - 1) / (A + B - 2),
        s = log(theta / (1 - theta)),

    over all masks since the prior was reset; theta is their mean. A round counts as much
    as another, and a client by its examples.

    Args:
        reset: rounds until the prior is reset, 1 or more; ValueError otherwise. 1 in the
            authors' code.
        epsilon: in (0, 0.5); ValueError otherwise. Keeps the scores finite.
    """
    require_integer("mask_server", "reset", reset, 1)
    if not 0.0 < single(epsilon) < 0.5:
        raise ValueError(f"mask_server: epsilon must be in (0, 0.5), got {epsilon=}")

    def init(params):
        return MaskState(jax.tree.map(jnp.zeros_like, params), jnp.int32(0))

    def update(updates, state, params=None, **extra):
        del extra
        anew = state.rounds >= reset
        rounds = jnp.where(anew, 1, state.rounds + 1)
        total = jax.tree.map(
            lambda mean, so_far: mean + jnp.where(anew, 0.0, so_far),
            updates,
            state.total,
        )

        def moved(total, s):
            share = jnp.clip(total / rounds, 0.0, 1.0)
            theta = epsilon + (1.0 - 2.0 * epsilon) * share
            return jnp.log(theta / (1.0 - theta)) - s

        return jax.tree.map(moved, total, params), MaskState(total, rounds)

    return optax.GradientTransformationExtraArgs(init, update)
