"""FedDyn: local losses that are bent until their minima agree."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from flq_jax.federated.descent import batches, descended
from flq_jax.federated.fedprox import drawn_back
from flq_jax.federated.local import LocalUpdate, Loss
from flq_jax.federated.scaffold import shifted
from flq_jax.single import single


class Drift(NamedTuple):
    """Attributes: total, h / alpha, f32[d]."""

    total: jax.Array


def feddyn(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch: int,
    alpha: float,
    epochs: int = 0,
    steps: int = 0,
) -> LocalUpdate:
    """Dynamic regularization (Acar et al. 2021, Alg. 1).

    Each client remembers g_m, 0 at first, and takes its steps, from w = x, on

        f_m(w) - <g_m, w> + alpha / 2 ||w - x||^2,   then   g_m <- g_m - alpha (w - x).

    The server, of whom h is 0 at first, hears the u_m = x - w_m of S of N clients:

        h <- h + alpha S / N mean u_m,   x <- x - mean u_m - h / alpha,

    its optimizer stepping against the mean u_m + h / alpha; S / N is the share of all
    examples whose clients it heard. One vector goes in each direction. As x - w is
    rounded on its way, g_m moves by what the server makes of the message: the mean of the
    g_m then stays h. The model that is broadcast is the next round's start; Acar et al.
    judge the mean of the clients' models, which is h / alpha away.

    Args:
        loss: f_m, (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: the client optimizer; its state starts anew each round.
        batch: examples of a step, 1 or more.
        alpha: above 0 and finite; 0.01 to 0.1 in the paper.
        epochs: passes over the client's examples, or
        steps: batches drawn with replacement; one of the two is 1 or more, the other 0.

    Returns:
        The loss is the mean of f_m over the steps, without what bends it; the update
        params - local params.

    Raises:
        ValueError: a number is out of its range; TypeError: the optimizer is none.
    """
    work = batches("feddyn", loss, optimizer, batch, epochs, steps)
    if not 0.0 < single(alpha) < math.inf:
        raise ValueError(f"feddyn: alpha must be finite and above 0, got {alpha=}")

    def update(key, params, shard, own):
        bent = optax.chain(
            shifted(jax.tree.map(jnp.negative, own)),
            drawn_back(params, alpha),
            optimizer,
        )
        found = descended(loss, bent, work, key, params, shard)
        return found.loss, found.moved, own

    def init(params):
        return jax.tree.map(jnp.zeros_like, params)

    def settle(own, heard):
        return jax.tree.map(lambda g, u: g + alpha * u, own, heard)

    return LocalUpdate(
        update,
        init,
        **work._asdict(),
        settle=settle,
        server=lambda optimizer: optax.chain(drifting(), optimizer),
    )


def drifting() -> optax.GradientTransformationExtraArgs:
    """u -> u + h / alpha, where h / alpha grows by heard u; of the mean update u."""

    def init(params):
        return Drift(jnp.zeros_like(params))

    def update(updates, state, params=None, *, heard, **others):
        del params, others
        total = state.total + heard * updates
        return updates + total, Drift(total)

    return optax.GradientTransformationExtraArgs(init, update)
