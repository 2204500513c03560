"""What a model is judged by while a run goes on."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from flq_jax import federated, keys
from flq_jax.data import ClientData, clients
from flq_jax.data.flat import joined
from flq_jax.federated import Federation, Loss, State
from flq_jax.precision import EXACT
from flq_jax.simulation.metric import figure

AT_ONCE = 1000  # examples
# (params, inputs [b, ...], targets [b, ...]) -> a value of each example, see `Metric`
Judge = Callable[..., jax.Array]


def heard_params(
    federation: Federation, root: jax.Array, state: State, round_index: jax.Array | int
) -> Any:
    """The model's params as the clients would hear them in that round, see `evaluation`.

    A broadcast that draws at random draws here what no round's does.
    """
    drawn = keys.round_keys(root, round_index)._replace(downlink=keys.init_key(root))
    sent = federated.heard(
        federation.downlink, drawn, state.params, state.downlink, round_index
    )
    return federation.local_update.model(federation.unravel(sent.model))


def evaluation(
    federation: Federation, loss: Loss, judge: Callable[..., Any], mesh: Mesh
) -> Callable[..., tuple[jax.Array | None, Any]]:
    """The train loss of the model as the clients hear it, and what else is said of it.

    Examples are looked at in parts, for the windows of a convolution over a whole data
    set would fill the memory.

    Args:
        federation: what the run is made of.
        loss: the clients' local loss.
        judge: (params, the test examples as shares [s, b, ...]) -> arrays, see `totals`.
        mesh: the devices that the clients are spread over.

    Returns:
        (root, state, round index i32[], data, *test) -> (f32[], arrays). The loss is that
        of `data`, all examples or a sample of them; of none it is left out, None. `test`
        is inputs [n, ...] and targets [n, ...], or nothing: then there are no arrays, {}.
    """

    def evaluate(root, state, round_index, data, *test):
        params = heard_params(federation, root, state, round_index)
        mean = mean_loss(keys.init_key(root), params, data) if data.capacity else None
        said = judge(params, clients.pooled(*test).divided(AT_ONCE)) if test else {}
        return mean, said

    def mean_loss(key, params, data):
        words = jax.random.key_data(key)

        def part_losses(params, words, pool, shards):
            """Nothing is computed for a part that is padding alone."""

            def local_loss(row):
                # On several devices both sides of the choice below are computed, and
                # JAX's checker of keys takes choosing between two for a use.
                again = jax.random.wrap_key_data(words, impl=jax.random.key_impl(key))
                return loss(params, *federated.whole(joined(pool, row)), again)

            some = jnp.any(shards.sizes > 0)
            return jax.lax.cond(some, jax.vmap(local_loss), no_losses, shards)

        pool, shards = data.in_parts(AT_ONCE).apart()
        by_part = federated.in_groups(1, mesh)
        losses = by_part(part_losses, params, words, pool)(shards)
        shares = shards.sizes / jnp.sum(shards.sizes)
        return jnp.dot(shares, losses, precision=EXACT)

    def no_losses(shards):
        return jnp.zeros(shards.sizes.shape)

    return evaluate


def totals(
    metrics: Mapping[str, Judge], mesh: Mesh | None = None
) -> Callable[..., dict[str, jax.Array]]:
    """Each metric summed over all examples: a `judge`, see `evaluation`.

    What is counted, bool or integers, is summed in i32, and exact.

    Args:
        metrics: by name.
        mesh: devices that share the examples out among themselves; None for one.
    """

    def judge(params: Any, shares: ClientData) -> dict[str, jax.Array]:
        def part(params, shards):
            shard = jax.tree.map(lambda leaf: leaf[0], shards)
            inputs, targets, weights = federated.whole(shard)

            def total(metric):
                values = metric(params, inputs, targets)
                there = (weights > 0.0).reshape(-1, *[1] * (values.ndim - 1))
                counted = jnp.where(there, values, jnp.zeros_like(values))
                return jnp.sum(counted, axis=0)[None]

            return {name: total(metric) for name, metric in metrics.items()}

        each = federated.in_groups(1, mesh)(part, params)
        return jax.tree.map(lambda leaf: jnp.sum(leaf, axis=0), each(shares))

    return judge


def judged(
    loss: np.ndarray | None,
    sums: Mapping[str, np.ndarray],
    count: int,
    metrics: Mapping[str, Judge] | None = None,
) -> dict[str, float | None]:
    """An evaluation as a line of figures has it: the loss, None if it is not finite, no
    entry where it was left out; and each metric's `figure` of the `count` test examples,
    the mean where none is given."""
    by_name = metrics or {}
    figures = {
        name: figure(by_name.get(name), total, count) for name, total in sums.items()
    }
    if loss is None:
        return figures
    return {"train_loss": float(loss) if math.isfinite(loss) else None, **figures}
