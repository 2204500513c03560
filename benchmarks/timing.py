"""Ratios on a noisy machine: everything in turn, in one process, medians."""

import statistics
import time
from collections.abc import Callable

PAUSE = 0.3  # s; NumPy's idle threads spin for a while, and slow whoever comes next


def interleaved(
    functions: dict[str, Callable[[], object]],
    repeats: int = 7,
    pause: float = PAUSE,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each function's calls, A B C A B C ..., after one that warms up.

    Args:
        functions: each returns when its work is done.
        repeats: counted calls of each.
        pause: seconds between calls.
        clock: `time.process_time` counts what this process computes, whoever else does.
    """
    for function in functions.values():
        function()
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            time.sleep(pause)
            begin = clock()
            function()
            seconds[name].append(clock() - begin)
    return seconds


def in_a_row(function: Callable[[], object], count: int) -> Callable[[], None]:
    """So many calls as one: the first alone pays for what ran before it."""

    def calls():
        for _ in range(count):
            function()

    return calls


def median_ratio(over: list[float], under: list[float]) -> float:
    """The median of the ratios, call by call."""
    return statistics.median(a / b for a, b in zip(over, under))
