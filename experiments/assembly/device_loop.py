"""The rounds between two evaluations: one program on the device, totals on the host."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from flq_jax import federated
from flq_jax.simulation import intervals
from flq_jax.simulation.evaluation import judged
from flq_jax.simulation.intervals import Piece
from flq_jax.simulation.progress import Progress, line

from .stacked_runs import Stack, over_runs, row, rows_of


def advancing(
    stack: Stack, targets: Sequence[float], vmapped: bool | None = None
) -> Callable[[Sequence[Progress]], list[Progress]]:
    """Every run's progress -> the same at its next evaluation.

    Runs may stand at different rounds; one that wants no further round stays. It is one
    call on the device, or several where the figures of all the rounds between two
    evaluations would take more memory than `intervals` lets them.

    Args:
        stack: the runs.
        targets: the loss at which each one stops.
        vmapped: see `over_runs`.
    """
    every = stack.configs[0].log.every
    capacity = most_rounds(stack)
    # The states come out as they lie on the devices, lest the next call compile anew.
    lie = [jax.tree.map(lambda leaf: leaf.sharding, run.state) for run in stack.runs]
    links = [run.links for run in stack.runs]
    everywhere = NamedSharding(stack.runs[0].mesh, PartitionSpec())

    def rounds_of_one(parts, root, data, state, start, count, target):
        step = functools.partial(federated.round_step, parts.federation, root, data)
        return federated.run_rounds(step, state, start, count, capacity, target)

    @functools.partial(
        jax.jit, donate_argnames="states", out_shardings=(lie, *(everywhere,) * 3)
    )
    def rounds(shared, arrays, states, *each):
        each_run = over_runs(stack, rounds_of_one, vmapped)
        states, *rest = each_run(shared, arrays, rows_of(states), *each)
        return [row(states, i) for i in range(len(lie))], *rest

    def call(all_progress: Sequence[Progress], counts: Sequence[int]) -> list[Piece]:
        states, metrics, done, reached = rounds(
            stack.shared,
            stack.arrays,
            [progress.state for progress in all_progress],
            np.array([progress.rounds for progress in all_progress], np.int32),
            np.array(counts, np.int32),
            np.array(targets, np.float32),
        )
        metrics, done, reached = jax.device_get((metrics, done, reached))
        return [
            Piece(state, row(metrics, i), int(done[i]), bool(reached[i]))
            for i, state in enumerate(states)
        ]

    def advance(all_progress: Sequence[Progress]) -> list[Progress]:
        ends = [
            intervals.next_evaluation(progress.rounds, every, config.rounds)
            for progress, config in zip(all_progress, stack.configs, strict=True)
        ]
        why = [f"residual {c.stop.residual:g} reached" for c in stack.configs]
        return intervals.advanced(call, all_progress, links, ends, capacity, why)

    return advance


def most_rounds(stack: Stack) -> int:
    """How many rounds' figures one call on the device holds, see `intervals`."""
    config, runs = stack.configs[0], len(stack.runs)
    rounds = max(each.rounds for each in stack.configs)
    return intervals.most_rounds(config.log.every, rounds, config.clients, runs)


def measuring(
    stack: Stack, vmapped: bool | None = None
) -> Callable[[Sequence[Progress]], list[dict[str, Any]]]:
    """Every run's progress -> its line of the metrics file."""

    everywhere = NamedSharding(stack.runs[0].mesh, PartitionSpec())

    @functools.partial(jax.jit, out_shardings=everywhere)
    def evaluate(shared, arrays, states, rounds, test):
        def one(parts, root, data, state, round_index):
            return parts.evaluate(root, state, round_index, data, *test)

        return over_runs(stack, one, vmapped)(shared, arrays, rows_of(states), rounds)

    def measure(all_progress: Sequence[Progress]) -> list[dict[str, Any]]:
        states = [progress.state for progress in all_progress]
        rounds = np.array([progress.rounds for progress in all_progress], np.int32)
        test = stack.runs[0].test
        found = evaluate(stack.shared, stack.arrays, states, rounds, test)
        losses, sums = jax.device_get(found)
        return [
            line(
                progress,
                run.links,
                judged(losses[i], row(sums, i), len(run.test[1])),
                run.federation.network.costs,
                **config.accounting,
            )
            for i, (config, run, progress) in enumerate(
                zip(stack.configs, stack.runs, all_progress, strict=True)
            )
        ]

    return measure
