"""Seconds from the start of a process to the end of its first round, and peak memory.

    python -m benchmarks.first_round [--processes_each=5]

MNIST, softmax regression, ten clients with 50 examples a round. `step` is a program of
its own that imports the package, reads the data, compiles and runs one round; `command`
is `experiments.main` on the default config with its checkpoint, log and figures. `again`
is the same once its programs have been compiled, see `experiments.programs`.
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

_REPEATS = flags.DEFINE_integer("processes_each", 5, "Processes of each kind.", 1)

STEP = """
import functools, jax, numpy as np
from configs import default
from experiments.build import build
from flq_jax import data, federated
config = default.get_config()
config.client.batch = 50
run = build(config, data.load("mnist"))
step = functools.partial(federated.round_step, run.federation)
jax.block_until_ready(jax.jit(step)(run.root, run.data, run.state, np.int32(0)))
"""


def commands(folder: pathlib.Path) -> dict[str, list[str]]:
    """The processes, by name and in their order."""
    main = [sys.executable, "-m", "experiments.main", "--config=configs/default.py"]
    return {
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
                # The largest child so far: the step, which is the smaller, comes first.
                peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
                most.setdefault(name, peak)
    table = Table(title=f"first round, jax {jax.__version__}", title_justify="left")
    for column in ("process", "seconds", "peak memory (MB)"):
        table.add_column(column, justify="right")
    for name, taken in seconds.items():
        table.add_row(
            name, f"{statistics.median(taken):.1f}", f"{most[name] / 1024:.0f}"
        )
    Console().print(table)


if __name__ == "__main__":
    app.run(main)
