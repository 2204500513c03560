"""Rounds as an H100 would run them: few kernels, and no waiting for the host."""

import sys

import pytest

from flq_jax.benchmarks import kernel_proof, kernels_a_round


@pytest.mark.aot
def test_a_round_launches_few_kernels_and_asks_nothing():
    rows, broken = kernel_proof.in_process("kernels_a_round", "sm_90a", sys.executable)
    assert not broken
    assert {row["round"]: row["most"] for row in rows} == kernels_a_round.BOUNDS
    assert kernels_a_round.BOUNDS == {"softmax": 60, "network": 90, "fedavg": 2500}
    for row in rows:
        assert 10 < row["launches"] <= row["most"], row
        assert row["asks"] == row["unknown"] == 0, row
