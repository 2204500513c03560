"""The two programs of a simulation: rounds, and what a model is judged by."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from flq_jax import federated
from flq_jax.data.flat import Shards
from flq_jax.federated import Federation, Loss, State
from flq_jax.simulation import checks, evaluation, intervals
from flq_jax.simulation.evaluation import Judge
from flq_jax.simulation.examples import Examples, Pair, held_out
from flq_jax.simulation.intervals import Piece
from flq_jax.simulation.progress import FIGURES, Progress


def judging(
    test: Pair | None,
    evaluate: Mapping[str, Judge] | None,
    params: Any,
    given: Examples,
) -> tuple[tuple, dict[str, Judge]]:
    """The test examples, on the device, and what is asked of them; both may be none.

    ValueError if one is there without the other, or they do not fit the params.
    """
    if (test is None) != (not evaluate):
        raise ValueError(
            "Simulation: test and evaluate go together, got "
            + ("test examples alone" if not evaluate else "functions alone")
        )
    if test is None:
        return (), {}
    held, metrics = held_out(test, given), dict(evaluate or {})
    rows = min(len(held[0]), evaluation.AT_ONCE)
    checks.require_metrics(metrics, params, checks.shard_of(*held, rows), {*FIGURES})
    return jax.device_put(held), metrics


def programs(
    federation: Federation,
    loss: Loss,
    metrics: Mapping[str, Judge],
    state: State,
    mesh: Mesh,
) -> tuple[Callable, Callable]:
    """(rounds, evaluate), jitted.

    rounds: (root, data, state, first round i32[], their number i32[] or None, *,
    capacity) -> see `run_rounds`; evaluate: see `evaluation`.
    """
    everywhere = NamedSharding(mesh, PartitionSpec())
    lies = jax.tree.map(lambda leaf: leaf.sharding, state)

    # The state is not donated: an interrupt leaves the simulation as it was.
    @functools.partial(
        jax.jit, static_argnames="capacity", out_shardings=(lies, *(everywhere,) * 3)
    )
    def rounds(root, data, state, begin, count, *, capacity):
        step = functools.partial(federated.round_step, federation, root, data)
        return federated.run_rounds(step, state, begin, count, capacity)

    said = evaluation.evaluation(
        federation, loss, evaluation.totals(metrics, mesh), mesh
    )
    return rounds, jax.jit(said, out_shardings=everywhere)


def calling(
    rounds: Callable, root: jax.Array, data: Shards, capacity: int, mesh: Mesh
) -> intervals.Call:
    """The `rounds` of `programs` on one simulation, as `intervals` calls them."""

    def call(all_progress: Sequence[Progress], counts: Sequence[int]) -> list[Piece]:
        (progress,), (count,) = all_progress, counts
        whole = intervals.of_known_length(mesh, counts, capacity)
        at = np.int32(progress.rounds), None if whole else np.int32(count)
        state, *rest = rounds(root, data, progress.state, *at, capacity=capacity)
        metrics, done, reached = jax.device_get(rest)
        return [Piece(state, metrics, int(done), bool(reached))]

    return call
