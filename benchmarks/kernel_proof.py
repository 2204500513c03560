"""What is known of the GPU and TPU kernels without a GPU or a TPU: a table of rungs.

    python -m benchmarks.kernel_proof [--compilers=PYTHON] [--rungs=v5e,sm_80] [--few]

Every kernel at realistic shapes, on each rung:

    interpret     the kernel's arithmetic, run as ordinary JAX, equals the lax popcounts;
                  what is written in PTX has none
    lower         Triton's and Mosaic's rules take it, or the call that takes PTX
    v5e, v6e      libtpu compiles it to machine code of the expected instructions, and
                  no vector register is spilt
    sm_80, sm_90a the CUDA plugin and ptxas do, likewise
    ptx ...       the PTX computes the right numbers, executed on the host, and programs
                  with one instruction changed do not

The compilers run in processes of their own, in the environment of `--compilers` (extras
`tpu-compile`, `gpu-compile`), for they may abort. A rung that cannot run is named, and
the exit status is 1 unless every rung ran and passed. `pytest -m aot` climbs them with one
shape, as `--few` does. Nothing here says how fast any of it would be.
"""

import collections
import functools
import json
import os
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from rich.console import Console
from rich.table import Table

from flq_jax.kernels import gpu, popcount

from . import compile_kernels

RUNGS = (
    "interpret", "lower", "v5e", "v6e", "sm_80", "sm_90a", "ptx sm_80", "ptx sm_90a"
)  # fmt: skip
_COMPILERS = flags.DEFINE_string(
    "compilers", sys.executable, "Python with libtpu and the CUDA plugin."
)
_RUNGS = flags.DEFINE_list("rungs", list(RUNGS), "Rungs to climb.")
TARGETS = {"cuda": "sm_80", "tpu": "v5e"}  # a platform's target with all its kernels
INTERPRETED_ROWS = 256  # of the larger shapes, and images at most


class Outcome(NamedTuple):
    """One kernel on one rung: cases, how many passed, and the first complaint."""

    cases: int = 0
    passed: int = 0
    complaint: str = ""

    def plus(self, ok: bool, complaint: str = "") -> "Outcome":
        """With one case more."""
        first = self.complaint or ("" if ok else complaint or "failed")
        return Outcome(self.cases + 1, self.passed + ok, first)


def operands(sizes):
    """Random words of one case, of rows and images not too many."""
    rng, ((k, rows, *rest), w) = np.random.default_rng(0), sizes
    low, high = -(2**31), 2**31
    sizes = (k, min(rows, 1 if len(w) == 5 else INTERPRETED_ROWS), *rest), w
    return [jnp.asarray(rng.integers(low, high, s, dtype=np.int32)) for s in sizes]


def counted(case, a, b):
    """What a case's kernel is to make of its operands."""
    binary = "xor" in case.name
    if case.name.endswith("conv"):
        geometry = case.kernel.keywords["geometry"]
        return popcount.conv_counts(a, b, binary, geometry)
    return popcount.counts(a, b, binary)


def interpreted(few: bool) -> dict[str, Outcome]:
    """Kernels run as ordinary JAX against the lax form."""
    outcomes = collections.defaultdict(Outcome)
    for target in TARGETS.values():
        for case in compile_kernels.cases(target, few):
            if case.room == "ptx":  # has no body to run: its text is executed
                continue
            name, (a, b) = f"{case.room} {case.name}", operands(case.sizes)
            run = functools.partial(case.kernel, interpret=True)
            expected = jax.jit(functools.partial(counted, case))(a, b)
            right = bool(jnp.all(jax.jit(run)(a, b) == expected))
            outcomes[name] = outcomes[name].plus(right)
    return outcomes


def lowered(few: bool) -> dict[str, Outcome]:
    """Kernels lowered for their platform."""
    outcomes = collections.defaultdict(Outcome)
    for platform, target in TARGETS.items():
        for case in compile_kernels.cases(target, few):
            name = f"{case.room} {case.name}"
            like = [jax.ShapeDtypeStruct(size, jnp.int32) for size in case.sizes]
            try:
                with gpu.in_mind():
                    traced = jax.jit(case.kernel).trace(*like)
                    traced.lower(lowering_platforms=(platform,))
            except Exception as error:  # noqa: BLE001 lowering rules raise what they like
                outcomes[name] = outcomes[name].plus(False, str(error).splitlines()[0])
            else:
                outcomes[name] = outcomes[name].plus(True)
    return outcomes


def in_process(
    module: str, target: str, python: str, *options: str
) -> tuple[list[dict], str]:
    """The rows that a module prints for a target, and its complaint if it broke off."""
    done = subprocess.run(
        [python, "-m", f"{__package__}.{module}", f"--chip={target}", *options],
        capture_output=True, encoding="utf-8", check=False, env=os.environ | {"JAX_PLATFORMS": ""},
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return rows, f"ended with {done.returncode}" if done.returncode else ""


def compiled(target: str, python: str, few: bool) -> dict[str, Outcome]:
    """Kernels compiled for a target, in a process of its own; {} if it cannot run."""
    rows, broken = in_process("compile_kernels", target, python, f"--few={few}")
    outcomes = collections.defaultdict(Outcome)
    for row in rows:
        name = f"{row['room']} {row['kernel']}"
        where = f"{row['shape']}: {row['error']}"
        outcomes[name] = outcomes[name].plus(not row["error"], where)
    if broken and outcomes:
        outcomes["the compiler"] = Outcome(1, 0, broken)
    return dict(outcomes)


def executed(target: str, python: str) -> dict[str, Outcome]:
    """Kernels whose PTX was executed, and the mutants that were found out."""
    rows, broken = in_process("execute_ptx", target, python)
    outcomes = collections.defaultdict(Outcome)
    for row in rows:
        name = f"{row['room']} {row['kernel']}"
        outcomes[name] = outcomes[name].plus(not row["error"], row["error"])
        dead = row["mutants"] - len(row["survivors"])
        found = outcomes[f"{name}, mutants"]
        first = found.complaint or ", ".join(row["survivors"])
        outcomes[f"{name}, mutants"] = Outcome(
            found.cases + row["mutants"], found.passed + dead, first
        )
    if broken and outcomes:
        outcomes["the executor"] = Outcome(1, 0, broken)
    return dict(outcomes)


def climb(rung: str, python: str, few: bool) -> dict[str, Outcome]:
    """What came of a rung, by kernel; {} if it cannot run here.

    Args:
        rung: one of `RUNGS`.
        python: the compilers' interpreter.
        few: whether one shape is enough.
    """
    if rung in ("interpret", "lower"):
        return {"interpret": interpreted, "lower": lowered}[rung](few)
    if rung.startswith("ptx "):
        return executed(rung.removeprefix("ptx "), python)
    return compiled(rung, python, few)


def main(argv: list[str]) -> None:
    """Climbs the rungs and prints the table."""
    del argv
    console, fine, ran = Console(width=120), True, 0
    table = Table(title="kernels without their hardware", title_justify="left")
    for column in ("rung", "kernel", "cases", "passed", "first complaint"):
        table.add_column(column)
    for rung in _RUNGS.value:
        outcomes = climb(rung, _COMPILERS.value, compile_kernels.FEW_ONLY.value)
        ran += bool(outcomes)
        if not outcomes:
            table.add_row(rung, "all", "0", "0", "[red]did not run: no such compiler")
            fine = False
        for name, outcome in outcomes.items():
            fine &= outcome.passed == outcome.cases
            cells = str(outcome.cases), str(outcome.passed), outcome.complaint
            table.add_row(rung, name, *cells)
    console.print(table)
    console.print(f"{ran} of {len(_RUNGS.value)} rungs ran.")
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    app.run(main)
