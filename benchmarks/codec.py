"""What compression costs: each quantizer beside a memory copy, each method beside SGD.

    python -m benchmarks.codec [--entries=1000000] [--step_clients=10,100]

The first table has the times of encode, pack, unpack and decode of one vector, each over
that of copying its f32 entries; the second the time of a whole round of each method,
minibatches of 50, over that of a round which sends floats. `--step_clients=` leaves the second
one out, `--entries=0` the first.
"""

import functools
import importlib
import statistics
from collections.abc import Callable

import jax
import numpy as np
from absl import app, flags
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import contestants
from benchmarks.federated_step import rounds_of
from benchmarks.timing import interleaved, median_ratio
from configs import mnist_sgd
from configs.paper.methods import METHODS
from experiments.build import build
from flq_jax import data, wire
from flq_jax.data.dataset import Dataset
from flq_jax.quantizers import Quantizer

_ENTRIES = flags.DEFINE_integer("entries", 1_000_000, "Entries of the vector.", 0)
_CLIENTS = flags.DEFINE_list("step_clients", ["10", "100"], "Numbers of clients.")
_REPEATS = flags.DEFINE_integer("calls", 5, "Timed calls, of which the median.", 1)
STEPS = ("encode", "pack", "unpack", "decode")
ROUNDS = {10: 50, 100: 8}


def main(argv: list[str]) -> None:
    """Prints both tables."""
    del argv
    console = Console(width=100)
    if _ENTRIES.value:
        console.print(codecs(_ENTRIES.value))
    if numbers := [int(number) for number in _CLIENTS.value if number]:
        console.print(rounds(data.load("mnist"), numbers))


def codecs(entries: int) -> Table:
    """Time over that of a copy, of one setting of each family: 4 bits where it may."""
    title = f"{entries:,} entries: time over a copy of the floats"
    table = Table(title=title, title_justify="left")
    for column in ("quantizer", "bits an entry", *STEPS, "copy (ms)"):
        table.add_column(column, justify="left" if column == "quantizer" else "right")
    for family, settings in contestants(entries).items():
        setting = "4" if "4" in settings else list(settings)[-1]
        seconds, bits = codec(settings[setting], entries)
        ratios = [median_ratio(seconds[step], seconds["copy"]) for step in STEPS]
        copy = 1e3 * statistics.median(seconds["copy"])
        cells = [f"{bits / entries:.3f}", *(f"{r:.1f}" for r in ratios), f"{copy:.2f}"]
        table.add_row(f"{family} {setting}".strip(), *cells)
    return table


def codec(quantizer: Quantizer, entries: int) -> tuple[dict[str, list[float]], int]:
    """Seconds of each step's calls and of a copy's, and the message's length in bits."""
    key, key_x = jax.random.split(jax.random.key(0))
    x = jax.random.normal(key_x, (entries,))
    layout = quantizer.layout(entries)
    encode, decode = jax.jit(quantizer.encode), jax.jit(quantizer.decode)
    message = jax.block_until_ready(encode(key, x))
    on_host = jax.tree.map(np.asarray, message)
    frame = wire.pack(on_host, layout)
    floats = np.asarray(x)
    seconds = interleaved(
        {
            "encode": lambda: jax.block_until_ready(encode(key, x)),
            "pack": lambda: wire.pack(on_host, layout),
            "unpack": lambda: wire.unpack(frame, layout),
            "decode": lambda: jax.block_until_ready(decode(key, message)),
            "copy": floats.copy,
        },
        _REPEATS.value,
    )
    return seconds, int(message.num_bits)


def rounds(dataset: Dataset, numbers: list[int]) -> Table:
    """Time over that of SGD, of a round of each method."""
    table = Table(
        title="a round: time over one that sends floats", title_justify="left"
    )
    table.add_column("method")
    for clients in numbers:
        table.add_column(f"M = {clients}", justify="right")
    for name in METHODS:
        config = importlib.import_module(f"configs.mnist_{name}").get_config()
        cells = [f"{ratio(dataset, config, clients):.2f}" for clients in numbers]
        table.add_row(name, *cells)
    return table


def ratio(dataset: Dataset, config, clients: int) -> float:
    """The time of a round of this config over that of SGD, interleaved."""
    count = ROUNDS.get(clients, 5)
    make = functools.partial(_rounds, dataset, clients, count)
    seconds = interleaved(
        {"plain": make(mnist_sgd.get_config()), "method": make(config)}, _REPEATS.value
    )
    return median_ratio(seconds["method"], seconds["plain"])


def _rounds(dataset: Dataset, clients: int, count: int, config) -> Callable[[], object]:
    config.clients, config.client.batch = clients, 50
    return rounds_of(build(config, dataset), count)


if __name__ == "__main__":
    app.run(main)
