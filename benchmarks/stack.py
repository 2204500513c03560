"""Runs of one program against the same runs one after another.

    python -m benchmarks.stack [--configs=mnist_sgd,mnist_flq_binary] [--stacked=8]

MNIST, ten clients, softmax regression. `first` is from the config to the end of the first
chunk of rounds, compilation included, `then` that of a chunk after it, compiled; both in
runs' rounds per second, and relative to `alone`: each seed builds and compiles a program
of its own. `loop` is one program that takes the seeds in turn, `vmap` one that takes them
at once.
"""

import importlib
import itertools
import statistics

import jax
import numpy as np
from absl import app, flags
from ml_collections import ConfigDict
from rich.console import Console
from rich.table import Table

from flq_jax import data
from flq_jax.data.dataset import Dataset

from .rounds import chunk_seconds

_CONFIGS = flags.DEFINE_list(
    "configs", ["mnist_sgd", "mnist_flq_binary"], "Names of configs."
)
_SEEDS = flags.DEFINE_integer("stacked", 8, "Runs.", 1)
_BATCHES = flags.DEFINE_list("batches", ["50", "500"], "Minibatches; 0: full batch.")
_EVERY = flags.DEFINE_integer("every", 50, "Rounds of a chunk.", 1)
CHUNKS = 4
WAYS = {"alone": None, "loop": False, "vmap": True}


def timed(
    configs: list[ConfigDict], dataset: Dataset, vmapped: bool
) -> tuple[float, float]:
    """(seconds from the config to the first evaluation, those of a later chunk)."""
    chunks = chunk_seconds(configs, dataset, vmapped)
    first, *later = itertools.islice(chunks, CHUNKS)
    return first, statistics.median(later)


def seconds_of(way: str, configs: list[ConfigDict], dataset: Dataset) -> np.ndarray:
    """What `timed` says of all the configs in this way, f64[2]."""
    jax.clear_caches()
    if way == "alone":
        return np.sum([timed([config], dataset, False) for config in configs], axis=0)
    return np.asarray(timed(configs, dataset, WAYS[way]))


def main(argv: list[str]) -> None:
    """Prints a line for each config and size of minibatch."""
    del argv
    dataset = data.load("mnist")
    table = Table(title=f"{_SEEDS.value} seeds, rounds/s (relative to alone)")
    for column in (
        "config",
        "batch",
        *(f"{w}, {t}" for t in ("first", "then") for w in WAYS),
    ):
        table.add_column(column, justify="right")
    for name in _CONFIGS.value:
        for batch in map(int, _BATCHES.value):
            configs = []
            for seed in range(_SEEDS.value):
                config = importlib.import_module(f"flq_jax.configs.{name}").get_config()
                config.seed, config.log.every = seed, _EVERY.value
                config.client = f"gradient(batch={batch})"
                config.rounds = CHUNKS * _EVERY.value
                configs.append(config)
            found = {way: seconds_of(way, configs, dataset) for way in WAYS}
            rounds = _SEEDS.value * _EVERY.value
            cells = [
                f"{rounds / found[way][i]:.0f} ({found['alone'][i] / found[way][i]:.2f})"
                for i in range(2)
                for way in WAYS
            ]
            table.add_row(name, str(batch), *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    app.run(main)
