"""Runs that differ in nothing but arrays, as one program."""

import ast
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from flq_jax.data import partition
from flq_jax.data.dataset import Dataset
from flq_jax.simulation.stack import Stack, advancing, measuring, rows_of

from ..options.names import flatten
from ..options.parts import PARTS
from ..process.errors import ConfigError
from .build import Run, build, client, padded_length, split
from .composition import asks, composed
from .programs import Arrays

MOST_BYTES = 8 * 10**9  # of examples that the runs of one program hold
# Options that a program never sees: what they say is in the arrays that it works on, or
# in its expressions.
IN_ARRAYS = ("seed", "let", "cell", *PARTS)
# Of a cell's options those that shape its arrays, or its program.
OF_CELLS_PROGRAM = "blocks", "bit_operations_a_cycle"


def alike(config: ConfigDict, dataset: Dataset) -> str:
    """What runs of one program have in common, as a string to compare.

    All options but those of `IN_ARRAYS`, the expressions but for the numbers in them
    that a program may take as its arguments, the data set, and the length of the
    clients' arrays, which must have the same shapes.
    """
    options = {k: v for k, v in config.items() if k not in IN_ARRAYS}
    parts = composed(config).parts
    texts = {name: ast.unparse(tree) for name, tree in parts.items()}
    if any(asks(name, tree, "seed") for name, tree in parts.items()):
        options["seed"] = config.seed
    cell = [config.cell[name] for name in OF_CELLS_PROGRAM]
    length = padded_length(client(config, dataset), split(config, dataset))
    same = sorted(flatten(options).items()), texts, cell, dataset.digest, length
    return repr(same)


def most_together(config: ConfigDict, dataset: Dataset) -> int:
    """How many runs that are alike hold examples of their own in `MOST_BYTES`: 1 or more.

    Each holds them once by itself and once as a row of the stack; runs that share theirs
    hold nothing, which is so where another seed splits them alike.
    """
    update, parts = client(config, dataset), split(config, dataset)
    if _another_seed_splits_alike(config, dataset, parts):
        return MOST_BYTES
    example = dataset.train_inputs[0].nbytes * (1 if update.batch else 4)
    mine = 2 * len(parts) * padded_length(update, parts) * example
    return max(1, MOST_BYTES // mine)


def _another_seed_splits_alike(
    config: ConfigDict, dataset: Dataset, parts: partition.Parts
) -> bool:
    other = config.copy_and_resolve_references()
    other.seed = (config.seed + 1) % 2**32
    try:
        return all(map(np.array_equal, parts, split(other, dataset)))
    except ConfigError:  # drawn, but in vain
        return False


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
        return first.assemble(Arrays(root, data, cell, {**first.numbers, **own}))

    stack = Stack(
        assemble,
        [run.state for run in runs],
        [run.links for run in runs],
        rows_of([run.root for run in runs]),
        first.data if share else None,
        None if share else rows_of([run.data for run in runs]),
        rows_of([(run.cell, own) for run, own in zip(runs, numbers, strict=True)]),
        first.test,
        first.mesh,
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
        stack: of the configs.
        configs: theirs.
        targets: the loss at which each one stops.
        vmapped: see `over_runs`.
    """
    every, rounds = configs[0].log.every, [config.rounds for config in configs]
    why = [f"residual {config.stop.residual:g} reached" for config in configs]
    accounting = [config.accounting for config in configs]
    advance = advancing(stack, rounds, every, targets, why, vmapped)
    return advance, measuring(stack, accounting, vmapped)
