"""SCAFFOLD: local steps corrected by what all clients would do."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from flq_jax.federated.descent import batches, descended
from flq_jax.federated.local import LocalUpdate, Loss


class Controlled(NamedTuple):
    """A model and its control variate c, the mean of the clients'.

    Attributes:
        model: the model's params.
        control: shaped as they are.
    """

    model: Any
    control: Any


class GradientSum(NamedTuple):
    """Attributes: total, of all gradients so far, shaped as the params."""

    total: Any


def scaffold(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch: int,
    epochs: int = 0,
    steps: int = 0,
) -> LocalUpdate:
    """Control variates (Karimireddy et al. 2020, Alg. 1), by the second of its options.

    The server broadcasts (x, c), and each client remembers its own c_m, all 0 at first:

        w <- w - eta (grad f_m(w; batch) - c_m + c),   K times from w = x,
        c_m+ = the mean of these K gradients;

    for SGD that is c_m - c + (x - w) / (K eta), option II. A client sends two vectors,
    x - w and c_m - c_m+, and the server steps by its optimizer against the mean of the
    first and by S / N against that of the second, S / N the share of all examples whose
    clients it heard. The link carries 2 d numbers in either direction, and all of them
    are counted. What is rounded on its way must not pull c from the mean of the c_m,
    which no later round would mend; so c_m moves by what the server makes of the message.

    Args:
        loss: f_m, (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: the client optimizer; its state starts anew each round.
        batch: examples of a step, 1 or more.
        epochs: passes over the client's examples, or
        steps: batches drawn with replacement; one of the two is 1 or more, the other 0.

    Returns:
        What is broadcast is a `Controlled`. The loss is the mean of f_m over the steps.

    Raises:
        ValueError: a number is out of its range; TypeError: the optimizer is none.
    """
    work = batches("scaffold", loss, optimizer, batch, epochs, steps)

    def update(key, params, shard, own):
        corrected = optax.chain(
            summed(),
            shifted(jax.tree.map(jnp.subtract, params.control, own)),
            optimizer,
        )
        found = descended(loss, corrected, work, key, params.model, shard)
        count = jnp.maximum(work.steps_of(shard.sizes), 1)
        change = jax.tree.map(
            lambda c, total: c - total / count, own, found.state[0].total
        )
        return found.loss, Controlled(found.moved, change), own

    def init(params):
        return jax.tree.map(jnp.zeros_like, params.control)

    def settle(own, heard):
        return jax.tree.map(jnp.subtract, own, heard.control)

    return LocalUpdate(
        update,
        init,
        **work._asdict(),
        settle=settle,
        broadcast=lambda model: Controlled(model, jax.tree.map(jnp.zeros_like, model)),
        model=lambda params: params.model,
        server=with_control,
    )


def with_control(
    optimizer: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """The optimizer on x, and c <- c - heard (mean of c_m - c_m+), of (x, c) as f32[2 d]."""
    of_model = optax.with_extra_args_support(optimizer)

    def init(params):
        return of_model.init(jnp.split(params, 2)[0])

    def update(updates, state, params, *, heard, **others):
        mean, change = jnp.split(updates, 2)
        model, _ = jnp.split(params, 2)
        moved, state = of_model.update(mean, state, model, **others)
        # pyrefly: ignore[bad-argument-type] of one vector
        return jnp.concatenate([moved, -heard * change]), state

    # pyrefly: ignore[bad-argument-type] `heard` is always told, see `serve`
    return optax.GradientTransformationExtraArgs(init, update)


def summed() -> optax.GradientTransformation:
    """Lets gradients pass, and keeps their `GradientSum`."""

    def init(params):
        return GradientSum(jax.tree.map(jnp.zeros_like, params))

    def update(updates, state, params=None):
        del params
        return updates, GradientSum(jax.tree.map(jnp.add, state.total, updates))

    return optax.GradientTransformation(init, update)


def shifted(by: Any) -> optax.GradientTransformation:
    """Adds the same to every gradient."""
    return optax.stateless(lambda updates, params: jax.tree.map(jnp.add, updates, by))
