"""Runs that differ in nothing but arrays, as one program."""

import ast
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from flq_jax.data import ClientData, partition
from flq_jax.data.dataset import Dataset

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


class Stack(NamedTuple):
    """Runs of one program.

    Attributes:
        configs: theirs.
        runs: likewise.
        shared: the clients' examples, if all runs have the same; otherwise None.
        arrays: what each run works on, leading axis [r]; the data only if not shared.
    """

    configs: list[ConfigDict]
    runs: list[Run]
    shared: ClientData | None
    arrays: Arrays


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


def stacked(configs: Sequence[ConfigDict], dataset: Dataset) -> Stack:
    """Builds runs that are alike.

    Numbers in which they differ become arguments of the program, and are f32 from the
    start: a result may differ in the last bit from that of a run on its own, where
    they are constants that Python rounded once. All else is computed as it is there.

    Args:
        configs: one or more, validated and `alike`.
        dataset: what they name.
    """
    runs: list[Run] = []
    for config in configs:
        runs.append(build(config, dataset, *runs[:1]))
    values = [run.numbers for run in runs]
    differ = [n for n in values[0] if len({value[n] for value in values}) > 1]
    share = all(run.data is runs[0].data for run in runs)
    arrays = [
        Arrays(
            run.root,
            None if share else run.data,
            run.cell,
            {name: jnp.float32(value[name]) for name in differ},
        )
        for run, value in zip(runs, values, strict=True)
    ]
    shared = runs[0].data if share else None
    return Stack(list(configs), runs, shared, rows_of(arrays))


def rows_of(trees: Sequence[Any]) -> Any:
    """The trees' leaves stacked, leading axis [r]."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def row(tree: Any, index: int) -> Any:
    """One of the trees that `rows_of` stacked."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def over_runs(
    stack: Stack, function: Callable[..., Any], vmapped: bool | None = None
) -> Callable[..., Any]:
    """A function of one run as one of all of them.

    The runs of a CPU go one after another in a loop within the program, each as it
    would alone: its cores are busy with the clients of one run, and several at once
    leave its caches (`python -m benchmarks.stack` has the figures). An accelerator
    takes all of them at once by `vmap`. Then sums may be taken in another order, as may
    those over several devices, and a run differs in the last bits from one alone.

    Args:
        stack: the runs.
        function: (parts, root, data, *rest) -> results, see `Parts`.
        vmapped: whether all are computed at once; None: as suits the device.

    Returns:
        (stack.shared, stack.arrays, *rest) -> results; `rest` and the results with the
        leading axis [r].
    """
    count = len(stack.runs)
    if vmapped is None:
        vmapped = jax.default_backend() != "cpu"

    def mapped(shared, arrays, *rest):
        def one(given):
            arrays, *rest = given
            data = arrays.data if shared is None else shared
            numbers = {**stack.runs[0].numbers, **arrays.numbers}
            each = arrays._replace(data=data, numbers=numbers)
            parts = stack.runs[0].assemble(each)
            return function(parts, arrays.root, data, *rest)

        if count == 1:
            return rows_of([one(row((arrays, *rest), 0))])
        return (jax.vmap(one) if vmapped else partial(jax.lax.map, one))(
            (arrays, *rest)
        )

    return mapped
