"""Runs that differ in nothing but arrays, as one program."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from ml_collections import ConfigDict

from flq_jax.data.dataset import Dataset
from flq_jax.simulation.stack import Stack, advancing, measuring, rows_of

from .build import Run, build
from .programs import Arrays


def stacked(configs: Sequence[ConfigDict], dataset: Dataset) -> tuple[Stack, list[Run]]:
    """Builds runs that are alike: them, and the program that they share.

    Numbers in which they differ become arguments of the program, and are f32 from the
    start: a result may differ in the last bit from that of a run on its own, where
    they are constants that Python rounded once. All else is computed as it is there.

    Args:
        configs: one or more, good and `alike`.
        dataset: what they name.
    """
    runs: list[Run] = []
    for config in configs:
        runs.append(build(config, dataset, *runs[:1]))
    first, values = runs[0], [run.numbers for run in runs]
    differ = [n for n in first.numbers if len({value[n] for value in values}) > 1]
    numbers = [{name: jnp.float32(value[name]) for name in differ} for value in values]
    share = all(run.data is first.data for run in runs)

    def assemble(root, data, given):
        cell, own = given
        mine = {**first.numbers, **own}
        return first.assemble(Arrays(root, data, cell, mine, len(runs)))

    stack = Stack(
        assemble,
        [run.state for run in runs],
        [run.links for run in runs],
        rows_of([run.root for run in runs]),
        first.data if share else None,
        None if share else rows_of([run.data for run in runs]),
        rows_of([run.sample for run in runs]),
        rows_of([(run.cell, own) for run, own in zip(runs, numbers, strict=True)]),
        first.test,
        first.mesh,
        first.task.metrics,
        first.federation.network.costs,
    )
    return stack, runs


def looping(
    stack: Stack,
    configs: Sequence[ConfigDict],
    targets: Sequence[float],
    vmapped: bool | None = None,
) -> tuple[Callable, Callable]:
    """(every run's progress -> the same at its next evaluation; -> its line of metrics).

    Args:
        stack, configs: of the same runs.
        targets: the loss at which each one stops.
        vmapped: see `over_runs`.
    """
    every, rounds = configs[0].log.every, [config.rounds for config in configs]
    why = [f"residual {config.stop.residual:g} reached" for config in configs]
    advance = advancing(stack, rounds, every, targets, why, vmapped)
    return advance, measuring(stack, [c.accounting for c in configs], vmapped)
