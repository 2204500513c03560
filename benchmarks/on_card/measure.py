"""How long a call takes, and on what machine."""

import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import jax
import jaxlib
import numpy as np
from jax.extend import backend

import flq_jax

# Pairs of a work's name and a function that measures it and gives the rest of its row.
Works = Iterator[tuple[str, Callable[[], dict]]]

REPEATS = 9
ENOUGH = 3.0  # s; slow works are repeated for no longer than this, three times at least


def asked_of_the_card(query: str) -> str:
    """What nvidia-smi answers for a comma-separated query; empty where there is none."""
    if not shutil.which("nvidia-smi"):
        return ""
    done = subprocess.run(
        ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"],
        capture_output=True, encoding="utf-8", check=False, timeout=20,
    )  # fmt: skip
    return done.stdout.strip()


def clocks() -> dict[str, str]:
    """Clocks, power and temperature as they are now; {} where no card tells."""
    told = asked_of_the_card("clocks.sm,clocks.mem,power.draw,temperature.gpu")
    return {"clocks": told} if told else {}


def machine() -> dict[str, str]:
    """The device's name, versions, and the most that its clocks and power may be."""
    device = jax.devices()[0]
    row = {"part": "where", "work": f"{device.platform} {device.device_kind}"}
    row |= {"devices": str(jax.device_count()), "python": platform.python_version()}
    row |= {"jax": jax.__version__, "jaxlib": jaxlib.__version__}
    row |= {"numpy": np.__version__, "flq_jax": flq_jax.__version__}
    row["backend"] = " ".join(backend.get_backend().platform_version.split())
    limits = "name,driver_version,clocks.max.sm,clocks.max.mem,power.limit"
    if told := asked_of_the_card(limits):
        row["nvidia_smi"] = told
    return row | clocks()


def measured(
    call: Callable[[], object],
    per_call: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """How long a call takes that gives arrays, or is over when they are there.

    Args:
        call: compiled by its first call.
        per_call: so many units of work are in one call.
        clock: seconds.

    Returns:
        us, microseconds of a unit, the median of the repeats; spread, the longest repeat
        over the shortest; first_s, seconds of the first call.
    """

    def seconds(calls: int) -> float:
        begin = clock()
        for _ in range(calls):
            last = call()
        jax.block_until_ready(last)
        return clock() - begin

    first, taken = seconds(1), []
    calls = max(1, min(200, int(0.02 / max(seconds(1), 1e-9))))
    for _ in range(REPEATS):
        taken.append(seconds(calls) / calls)
        if len(taken) >= 3 and sum(taken) * calls > ENOUGH:
            break
    return {
        "us": statistics.median(taken) / per_call * 1e6,
        "spread": max(taken) / min(taken),
        "first_s": first,
    }


def of_program(function: Callable, *operands: object) -> dict[str, float]:
    """`measured` for the compiled function of these operands."""
    program = jax.jit(function)
    return measured(lambda: program(*operands))
