"""Peak memory of many clients, of whom some are sampled each round.

    python -m benchmarks.client_memory [--memory_clients=1000,10000]

MNIST, softmax regression, minibatches of 5, each run in a process of its own. `state` is
what the clients and the server remember between rounds, `peak` how far the resident set
has grown since the data set was read, building and compiling included. It should be the
state, the examples, a constant, and a few f32[d] for each sampled client.
"""

import importlib
import math
import multiprocessing
import resource

import jax
from absl import app, flags
from rich.console import Console
from rich.table import Table

from flq_jax import data
from flq_jax.experiments.assembly.stacked_runs import looping, stacked
from flq_jax.simulation.progress import Progress

_CLIENTS = flags.DEFINE_list("memory_clients", ["1000", "10000"], "Numbers of them.")
_SAMPLED = flags.DEFINE_list("memory_sampled", ["100"], "Clients of a round.")
_LINKS = flags.DEFINE_list(
    "memory_links", ["mnist_sgd", "mnist_ef_sign", "mnist_flq_binary"], "Configs."
)
ROUNDS = 5


def peak_mb() -> float:
    """The largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measured(link: str, clients: int, sampled: int) -> tuple[float, float]:
    """(megabytes of state, megabytes by which the peak grew) of a few rounds."""
    config = importlib.import_module(f"flq_jax.configs.{link}").get_config()
    config.clients, config.network = clients, f"sampled({sampled})"
    config.client = "gradient(batch=5)"
    config.rounds = config.log.every = config.log.checkpoint_every = ROUNDS
    dataset = data.mnist()
    before = peak_mb()
    stack, (run,) = stacked([config], dataset)
    state = run.state
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) / 1e6
    advance, _ = looping(stack, [config], [-math.inf])
    (progress,) = advance([Progress(0, state)])
    jax.block_until_ready(progress.state)
    return size, peak_mb() - before


def main(argv: list[str]) -> None:
    """Prints a line for each link and number of clients."""
    del argv
    table = Table(title="MB", title_justify="left")
    for column in ("link", "clients", "sampled", "state", "peak", "peak - state"):
        table.add_column(column, justify="right")
    fresh = multiprocessing.get_context("spawn")
    for link in _LINKS.value:
        for clients in map(int, _CLIENTS.value):
            for sampled in map(int, _SAMPLED.value):
                with fresh.Pool(1) as pool:
                    state, peak = pool.apply(measured, (link, clients, sampled))
                cells = f"{state:.0f}", f"{peak:.0f}", f"{peak - state:.0f}"
                table.add_row(link, str(clients), str(sampled), *cells)
    Console(width=100).print(table)


if __name__ == "__main__":
    app.run(main)
