"""Seconds from the start of a process to the end of its first round, and peak memory.

    python -m benchmarks.first_round [--processes_each=5]

MNIST, softmax regression, ten clients with 50 examples a round. `step` is a program of
its own that imports the package, reads the data, compiles and runs one round; `command`
is `experiments.main` on the default config with its checkpoint, log and figures. `again`
is the same once its programs have been compiled, see `experiments.process.compilation_cache`. `by hand` is
the round in a few lines of JAX and nothing else, the data not checked: what this machine
takes for the least that could be asked. The last column is the time relative to it.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import jax
from absl import app, flags
from rich.console import Console
from rich.table import Table

from flq_jax import data

from .timing import median_ratio

_REPEATS = flags.DEFINE_integer("processes_each", 5, "Processes of each kind.", 1)
MNIST = pathlib.Path(data.__file__).parent / "mnist_files"

STEP = """
import functools, jax, numpy as np
from flq_jax.configs import default
from flq_jax.experiments.assembly.build import build
from flq_jax import data, federated
config = default.get_config()
config.client = "gradient(batch=50)"
run = build(config, data.load("mnist"))
step = functools.partial(federated.round_step, run.federation)
jax.block_until_ready(jax.jit(step)(run.root, run.data, run.state, np.int32(0)))
"""

BY_HAND = f"""
import gzip, pathlib, jax, jax.numpy as jnp, numpy as np

def read(name, header):
    packed = (pathlib.Path({str(MNIST)!r}) / name).read_bytes()
    return np.frombuffer(gzip.decompress(packed), np.uint8, offset=header)

x, y, *_ = [read(f"{{part}}-{{kind}}-ubyte.gz", header) for part in ("train", "t10k")
            for kind, header in (("images-idx3", 16), ("labels-idx1", 8))]
x, y = x.reshape(10, -1, 784), y.reshape(10, -1).astype(np.int32)

def loss(params, x, y):
    logits = x @ params["w"] + params["b"]
    crossed = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
    return 0.005 * jnp.sum(params["w"] ** 2) - jnp.mean(crossed)

def gradient(key, params, x, y):
    rows = jax.random.randint(key, (50,), 0, len(y))
    return jax.grad(loss)(params, x[rows] / np.float32(255), y[rows])

@jax.jit
def round_step(key, params, x, y):
    keys = jax.random.split(key, 10)
    grads = jax.vmap(gradient, (0, None, 0, 0))(keys, params, x, y)
    return jax.tree.map(lambda p, g: p - 0.2 * g.mean(0), params, grads)

params = {{"w": jnp.zeros((784, 10)), "b": jnp.zeros(10)}}
jax.block_until_ready(round_step(jax.random.key(0), params, x, y))
"""


def commands(folder: pathlib.Path) -> dict[str, list[str]]:
    """The processes, by name and in their order."""
    main = [sys.executable, "-m", "flq_jax.experiments.main", "--config=default"]
    return {
        "by hand": [sys.executable, "-c", BY_HAND],
        "step": [sys.executable, "-c", STEP],
        "step again": [sys.executable, "-c", STEP],
        "command": [*main, "--config.rounds=1", f"--workdir={folder / 'one'}"],
        "command again": [*main, "--config.rounds=1", f"--workdir={folder / 'two'}"],
    }


def seconds_of(command: list[str], programs: pathlib.Path) -> float:
    """How long the process takes; CalledProcessError if it fails."""
    kept = {
        "JAX_COMPILATION_CACHE_DIR": str(programs),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | kept)
    return time.perf_counter() - begin


def main(argv: list[str]) -> None:
    """Prints medians over fresh processes, taken in turn."""
    del argv
    seconds: dict[str, list[float]] = {}
    most: dict[str, int] = {}
    for _ in range(_REPEATS.value):
        with tempfile.TemporaryDirectory() as folder:
            here = pathlib.Path(folder)
            for name, command in commands(here).items():
                taken = seconds_of(command, here / name.split()[0])
                seconds.setdefault(name, []).append(taken)
                # The largest child so far: the smaller come first.
                peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
                most.setdefault(name, peak)
    table = Table(title=f"first round, jax {jax.__version__}", title_justify="left")
    for column in ("process", "seconds", "peak memory (MB)", "of by hand"):
        table.add_column(column, justify="right")
    for name, taken in seconds.items():
        table.add_row(
            name,
            f"{statistics.median(taken):.1f}",
            f"{most[name] / 1024:.0f}",
            f"{median_ratio(taken, seconds['by hand']):.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    app.run(main)
