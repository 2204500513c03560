"""The ladder: what is known of the kernels without the chips, at one shape.

Nothing here is skipped. Where a compiler is not installed its rung fails by name, and the
number of rungs that ran is a test of its own.
"""

import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from flq_jax.benchmarks import kernel_proof

pytestmark = pytest.mark.aot
# Compiled: xor popcounts at 1 x 1, and popcounts and int8 at 1 x 2 and 8 x 8; convolutions
# by xor popcounts at 1 x 1, by popcounts and int8 at 1 x 2. For GPUs through Triton, and as
# they are written in PTX, which are not interpreted.
CASES = {
    "interpret": 16, "lower": 24, "v5e": 8, "v6e": 8, "sm_80": 16, "sm_90a": 16,
    "ptx sm_80": 10, "ptx sm_90a": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def climbed():
    """rung -> what came of it; a compiler's process on every core."""
    climb = functools.partial(kernel_proof.climb, python=sys.executable, few=True)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip(CASES, pool.map(climb, CASES), strict=True))


def test_every_rung_runs(climbed):
    missing = [rung for rung, outcomes in climbed.items() if not outcomes]
    assert not missing, f"cannot run without [tpu-compile, gpu-compile]: {missing}"
    assert len(climbed) == len(kernel_proof.RUNGS) == 8


@pytest.mark.parametrize("rung", CASES)
def test_every_kernel_passes(climbed, rung):
    outcomes = climbed[rung]
    assert outcomes, f"{rung} did not run"
    wrong = {name: one for name, one in outcomes.items() if one.passed != one.cases}
    assert not wrong
    kernels = [one.cases for name, one in outcomes.items() if "mutants" not in name]
    assert sum(kernels) == CASES[rung]


@pytest.mark.parametrize("rung, least", [("ptx sm_80", 140), ("ptx sm_90a", 140)])
def test_changed_programs_are_found_out(climbed, rung, least):
    tried = [one for name, one in climbed[rung].items() if "mutants" in name]
    assert sum(one.cases for one in tried) >= least
    assert all(one.passed == one.cases for one in tried)


def test_compiled_convolution_gathers_the_right_windows():
    """For sm_80, whose windows are gathered by the same lines, the command is run by hand."""
    rows, broken = kernel_proof.in_process("execute_conv", "sm_90a", sys.executable)
    assert not broken
    assert [row["error"] for row in rows] == [""] * 8
    assert [row["spills"] for row in rows] == [0] * 8
    assert [row["survivors"] for row in rows] == [[]] * 8
    assert all(row["mutants"] >= 9 for row in rows)


def test_no_sum_over_clients_is_compiled_to_tf32():
    rows, broken = kernel_proof.in_process("server_mean", "sm_90a", sys.executable)
    assert not broken
    *rounds, unstated = (row["tf32"] for row in rows)
    assert rounds == [0, 0, 0, 0]
    assert unstated > 0
