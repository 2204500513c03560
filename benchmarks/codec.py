"""What compression costs: each quantizer beside a memory copy, each method beside SGD.

    python -m benchmarks.codec [--entries=1000000] [--step_clients=10,100]
        [--fused_entries=1000000,16000000]

The first table has the times of encode, pack, unpack and decode of one vector, each over
that of copying its f32 entries; pack and unpack make and check whole frames. The second
has the speeds of one compiled program from floats to packed bits and of one back, over a
copy's, in processor time, each beside the bar it is to reach. The third has the time of a
whole round of each method, minibatches of 50, over that of a round which sends floats.
`--entries=0`, `--fused_entries=` and `--step_clients=` leave one out.

Above 32 MB glibc asks the system for memory at each allocation, which takes longer than
the work: `FLQ_JAX_KEEP_MEMORY=1`, see `experiments.process.malloc`.
"""

import importlib
import statistics
import time
from collections.abc import Iterator

import jax
import numpy as np
from absl import app, flags
from rich.console import Console
from rich.table import Table

from flq_jax import bitstream, data, wire
from flq_jax.configs import mnist_sgd
from flq_jax.configs.paper.methods import METHODS
from flq_jax.data.dataset import Dataset
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.process import malloc
from flq_jax.quantizers import Message, Quantizer, geometric, sign, uniform

from .contestants import contestants
from .rounds import rounds_of
from .timing import in_a_row, interleaved, median_ratio

_ENTRIES = flags.DEFINE_integer("entries", 1_000_000, "Entries of the vector.", 0)
_FUSED = flags.DEFINE_list("fused_entries", ["1000000"], "Entries of fused programs.")
_CLIENTS = flags.DEFINE_list("step_clients", ["10", "100"], "Numbers of clients.")
_REPEATS = flags.DEFINE_integer("calls", 5, "Timed calls, of which the median.", 1)
STEPS = ("encode", "pack", "unpack", "decode")
ROUNDS = {10: 50, 100: 8}
CALLS = 5  # of a fused program in a row
# entries: bits: what the speeds of encoding and decoding must be, over a copy's
BARS = {
    1_000_000: {
        1: (0.5, 0.85),
        2: (0.3, 0.85),
        3: (0.15, 0.45),
        4: (0.5, 0.85),
        5: (0.3, 0.45),
        6: (0.15, 0.45),
        7: (0.15, 0.45),
        8: (0.5, 0.85),
    },
    16_000_000: dict.fromkeys(range(1, 9), (None, 1.1)),
}


def main(argv: list[str]) -> None:
    """Prints the tables."""
    del argv
    malloc.keep()
    console = Console(width=100)
    if _ENTRIES.value:
        console.print(codecs(_ENTRIES.value))
    for entries in [int(number) for number in _FUSED.value if number]:
        console.print(fused(entries))
    for clients in [int(number) for number in _CLIENTS.value if number]:
        console.print(f"{clients} clients: a round's time over one that sends floats")
        for name, ratio in rounds(data.load("mnist"), clients):
            console.print(f"{name:20} {ratio:6.2f}")


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
    return seconds, layout.bits_of(message.num_bits)


def fused(entries: int) -> Table:
    """Speed over a copy's of the programs from floats to bits and back, and the bars.

    The grid is known to both ends; or it is measured, which reads the vector twice.
    """
    title = f"{entries:,} floats to packed bits: speed over a copy (bar)"
    table = Table(title=title, title_justify="left")
    for column in ("bits", "encode", "measuring the range", "decode", "copy (ms)"):
        table.add_column(column, justify="right")
    for bits in range(1, 9):
        known = sign(1.0) if bits == 1 else uniform(bits, geometric(3.0, 1.0))
        measured = sign() if bits == 1 else uniform(bits)
        seconds = fused_seconds(known, measured, entries)
        speed = {name: median_ratio(seconds["copy"], seconds[name]) for name in seconds}
        encode, decode = BARS.get(entries, {}).get(bits, (None, None))
        table.add_row(
            f"{bits}",
            beside(speed["encode"], encode),
            f"{speed['measuring']:.2f}",
            beside(speed["decode"], decode),
            f"{1e3 * statistics.median(seconds['copy']) / CALLS:.2f}",
        )
    return table


def beside(speed: float, bar: float | None) -> str:
    """A speed, whether it reaches the bar, and the bar."""
    if bar is None:
        return f"{speed:.2f}"
    return f"{speed:.2f} {'>=' if speed >= bar else '<'} {bar:g}"


def fused_seconds(
    known: Quantizer, measured: Quantizer, entries: int
) -> dict[str, list[float]]:
    """Seconds of encoding by each quantizer, of decoding the first's, and of a copy."""
    key, key_x = jax.random.split(jax.random.key(0))
    x = jax.random.normal(key_x, (entries,))
    floats = np.asarray(x)
    layout = known.layout(entries)

    def encoder(quantizer):
        @jax.jit
        def encode(x):
            message = quantizer.encode(key, x)
            return bitstream.pack(message.codes, layout.runs), message.side

        return lambda: jax.block_until_ready(encode(x))

    @jax.jit
    def decode(stream, side):
        codes = bitstream.unpack(stream, layout.runs)
        return known.decode(key, Message(codes, side, layout.length))

    encode = encoder(known)
    stream, side = encode()
    functions = {
        "encode": encode,
        "measuring": encoder(measured),
        "decode": lambda: jax.block_until_ready(decode(stream, side)),
        "copy": floats.copy,
    }
    return interleaved(
        {name: in_a_row(f, CALLS) for name, f in functions.items()},
        repeats=3 * _REPEATS.value,
        pause=0.0,
        clock=time.process_time,
    )


def rounds(dataset: Dataset, clients: int) -> Iterator[tuple[str, float]]:
    """Each method and the time of its round over that of SGD, interleaved."""
    count = ROUNDS.get(clients, 5)

    def chunk(config):
        config.clients, config.client = clients, "gradient(batch=50)"
        return rounds_of(build(config, dataset), count)

    plain = chunk(mnist_sgd.get_config())
    for name in METHODS:
        method = chunk(
            importlib.import_module(f"flq_jax.configs.mnist_{name}").get_config()
        )
        seconds = interleaved({"plain": plain, "method": method}, _REPEATS.value)
        yield name, median_ratio(seconds["method"], seconds["plain"])


if __name__ == "__main__":
    app.run(main)
