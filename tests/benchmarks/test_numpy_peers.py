"""What is timed beside ours does what ours does."""

import jax
import numpy as np
import pytest

from flq_jax.benchmarks import peers
from flq_jax.benchmarks.workloads import Workload
from flq_jax.data.dataset import Dataset
from flq_jax.models import MLP


def dataset():
    rng = np.random.default_rng(1)
    inputs = rng.integers(0, 256, (24, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, 24).astype(np.int32)
    return Dataset(inputs, labels, inputs, labels, 10, "tiny", "")


@pytest.mark.parametrize("epochs", [0, 1])
def test_peers_draw_the_same_and_end_with_the_same_model(epochs):
    work = Workload(MLP((5,)), 4, 2, 3, epochs, rounds=2, examples=24)
    by_jax = peers.a_call_each(work, dataset())()
    by_numpy = peers.numpy_by_hand(work, dataset())()
    for a, b in zip(jax.tree.leaves(by_jax), jax.tree.leaves(by_numpy), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_workload_counts_its_operations():
    # 2 clients, an epoch of 6 examples each: two products of 784 x 5, three of 5 x 10.
    work = Workload(MLP((5,)), 4, 2, 3, 1, rounds=2, examples=24)
    assert work.operations == 2 * 6 * 2 * (2 * 784 * 5 + 3 * 5 * 10)
