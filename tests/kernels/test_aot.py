"""Every kernel is compiled to machine code for chips that are not there."""

import importlib.util
import sys

import pytest

from benchmarks import compile_kernels, kernel_proof

NEEDED = {"v": "libtpu", "s": "jax_cuda13_plugin"}
needs_compiler = pytest.mark.parametrize(
    "target",
    [
        pytest.param(
            target,
            marks=pytest.mark.skipif(
                importlib.util.find_spec(NEEDED[target[0]]) is None,
                reason=f"{target} needs {NEEDED[target[0]]}",
            ),
        )
        for target in ("v5e", "v6e", "sm_80", "sm_90a")
    ],
)


@pytest.mark.aot
@needs_compiler
def test_every_kernel_compiles_to_the_expected_instructions(target):
    rows, broken = kernel_proof.in_process("compile_kernels", target, sys.executable)
    assert not broken
    widths = len(compile_kernels.WIDTHS)
    assert len(rows) == len(compile_kernels.SHAPES) * (1 + 2 * (widths - 1))
    assert [row for row in rows if row["error"]] == []


@pytest.mark.aot
@needs_compiler
def test_emitted_ptx_computes_the_right_numbers(target):
    """Five programs on an A100; without the int8 ones, three on an H100."""
    if target[0] == "v":
        pytest.skip("TPU code cannot be executed here")
    rows, broken = kernel_proof.in_process("execute_ptx", target, sys.executable)
    assert not broken
    assert len(rows) == {"sm_80": 5, "sm_90a": 3}[target]
    for row in rows:
        assert not row["error"] and row["mutants"] >= 4 and row["survivors"] == []
