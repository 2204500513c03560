"""What a model is to each client: a metric of its own examples."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from flq_jax import federated
from flq_jax.data import ClientData
from flq_jax.data.flat import Pool, Shards, joined
from flq_jax.federated import Federation, State
from flq_jax.simulation.evaluation import AT_ONCE, Judge, heard_params, totals
from flq_jax.simulation.metric import figure

TENTH = 0.1  # of the clients


class OverClients(NamedTuple):
    """A metric over the clients that have examples, each of which counts once.

    Attributes:
        clients: how many these are.
        mean: of their figures; None if one is not finite, or there are none.
        worst_tenth: likewise over the worst of them, a tenth, rounded up (Li et al.
            2020, q-FFL: "worst 10 %").
    """

    clients: int
    mean: float | None
    worst_tenth: float | None


def sums_by_client(
    federation: Federation, metric: Judge, mesh: Mesh
) -> Callable[[jax.Array, State, jax.Array, Shards], jax.Array]:
    """(root, state, round index i32[], examples of M clients) -> the metric's sums [M, ...].

    They are of the model as the clients hear it, see `evaluation`.

    Args:
        federation: what the run is made of.
        metric: a function or a `Metric`.
        mesh: the devices that the clients are spread over.
    """
    total = totals({"": metric})

    def of_shares(params: Any, pool: Pool | None, rows: Any) -> jax.Array:
        def one(row):
            shard = joined(pool, row)
            shard = ClientData(shard.inputs, shard.labels, shard.sizes)
            return total(params, jax.tree.map(lambda leaf: leaf[None], shard))[""]

        return jax.vmap(one)(rows)

    def found(root, state, round_index, data):
        params = heard_params(federation, root, state, round_index)
        pool, rows = data.divided(AT_ONCE).apart()
        sums = federated.in_groups(1, mesh)(of_shares, params, pool)(rows)
        each = sums.reshape(data.sizes.shape[0], -1, *sums.shape[1:])
        return jnp.sum(each, axis=1)

    return found


def over_clients(
    metric: Judge, sums: np.ndarray, sizes: Sequence[int] | np.ndarray
) -> OverClients:
    """The metric over clients, from its sums [M, ...] over the examples of each.

    Args:
        metric: a function or a `Metric`, which says what is worse.
        sums: see `sums_by_client`.
        sizes: examples of each client, M of them; those who have none are left out.
    """
    figures = [
        figure(metric, total, int(size))
        for total, size in zip(sums, sizes, strict=True)
        if size
    ]
    there = [value for value in figures if value is not None and math.isfinite(value)]
    if not figures or len(there) < len(figures):
        return OverClients(len(figures), None, None)
    lower = getattr(metric, "better", "higher") == "lower"
    worst = sorted(there, reverse=lower)[: math.ceil(TENTH * len(there))]
    mean, of_worst = (float(np.mean(values)) for values in (there, worst))
    return OverClients(len(there), mean, of_worst)
