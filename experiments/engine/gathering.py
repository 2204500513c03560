"""What runs have in common: their data, what is to be checked of them, their program."""

import ast
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from flq_jax.data import partition
from flq_jax.data.dataset import Dataset
from flq_jax.federated.grouping import uneven

from ..assembly.build import client, layout, split
from ..assembly.composition import PROGRAM, asks, composed
from ..assembly.memory import nbytes_of_sample
from ..folder.record import Job
from ..options.names import flatten
from ..options.parts import PARTS, trees
from ..process.errors import ConfigError

MOST_BYTES = 8 * 10**9  # of examples that the runs of one program hold
# Options that a program never sees: what they say is in the arrays that it works on, or
# in its expressions.
IN_ARRAYS = ("seed", "let", "cell", *PARTS)
# Of a cell's options those that shape its arrays, or its program.
OF_CELLS_PROGRAM = "blocks", "bit_operations_a_cycle"


def alike(config: ConfigDict, dataset: Dataset) -> str:
    """What runs of one program have in common, as a string to compare.

    All options but those of `IN_ARRAYS`, the expressions but for the numbers in them
    that a program may take as its arguments, the data set, and how the clients'
    examples lie, for arrays must have the same shapes, and what the clients' groups
    follow, see `suited`.
    """
    options = {k: v for k, v in config.items() if k not in IN_ARRAYS}
    parts = composed(config).parts
    texts = {name: ast.unparse(tree) for name, tree in parts.items()}
    if any(asks(name, tree, "seed") for name, tree in parts.items()):
        options["seed"] = config.seed
    cell = [config.cell[name] for name in OF_CELLS_PROGRAM]
    update, shares = client(config, dataset), split(config, dataset)
    lies, sizes = layout(config, dataset, update, shares), list(map(len, shares))
    lie = lies, uneven(sizes), lies.blocks and sum(sizes)
    return repr((sorted(flatten(options).items()), texts, cell, dataset.digest, lie))


def most_together(config: ConfigDict, dataset: Dataset) -> int:
    """How many runs that are alike hold examples of their own in `MOST_BYTES`: 1 or more.

    Each holds them once by itself and once as a row of the stack, and so a sample of them
    for its train loss; runs that share their examples hold nothing else, which is so where
    another seed splits them alike.
    """
    update, parts = client(config, dataset), split(config, dataset)
    mine = nbytes_of_sample(config, dataset, parts)
    if not _another_seed_splits_alike(config, dataset, parts):
        mine += layout(config, dataset, update, parts).nbytes
    return max(1, MOST_BYTES // max(1, 2 * mine))


def _another_seed_splits_alike(
    config: ConfigDict, dataset: Dataset, parts: partition.Parts
) -> bool:
    other = config.copy_and_resolve_references()
    other.seed = (config.seed + 1) % 2**32
    try:
        return all(map(np.array_equal, parts, split(other, dataset)))
    except ConfigError:  # drawn, but in vain
        return False


def data_text(config: ConfigDict) -> str:
    """What two configs of one data set have in common."""
    tree = trees(config)["data"]
    return ast.unparse(tree) + f" seed={config.seed}" * asks("data", tree, "seed")


def without_seed(config: ConfigDict) -> str:
    """What configs have in common that differ in seeds which no part but arrays sees."""
    found = trees(config)
    seeded = any(asks(part, found[part], "seed") for part in PROGRAM)
    texts = {part: ast.unparse(tree) for part, tree in found.items()}
    others = {k: v for k, v in config.items() if k not in ("seed", "let", *found)}
    return repr((texts, sorted(flatten(others).items()), config.seed * seeded))


def stacks(runs: Sequence[Job], most: int) -> list[list[Job]]:
    """The runs gathered by program, at most so many together, in their order."""
    groups: dict[str, list[Job]] = {}
    for run in runs:
        groups.setdefault(alike(run.config, run.dataset), []).append(run)
    found = []
    for group in groups.values():
        fit = min(most, most_together(group[0].config, group[0].dataset))
        found += [group[i : i + fit] for i in range(0, len(group), fit)]
    return found
