"""Means over test examples, in parts, padding left out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.data import clients
from flq_jax.simulation.evaluation import judged, totals

X = np.arange(7.0, dtype=np.float32)


@pytest.mark.parametrize("most, devices", [(3, 1), (100, 1), (3, 2)])
def test_sums_are_those_of_the_examples_alone(most, devices):
    """Seven in threes: two blank rows, for which 1 / x is infinite."""
    found = totals(
        {
            "right": lambda params, inputs, targets: targets == 5,
            "inverse": lambda params, inputs, targets: 1 / (inputs * params),
        },
        jax.sharding.Mesh(jax.devices()[:devices], ("clients",)),
    )
    shares = clients.pooled(X + 1, X.astype(np.int32)).divided(most)
    sums = jax.jit(found)(jnp.float32(2.0), shares)
    assert sums["right"].dtype == jnp.int32 and sums["right"] == 1
    np.testing.assert_allclose(sums["inverse"], np.sum(0.5 / (X + 1)), rtol=1e-6)
    line = judged(np.float32(np.inf), sums, 7)
    assert list(line) == ["train_loss", *sums]
    assert line["train_loss"] is None and line["right"] == 1 / 7
    assert list(judged(None, sums, 7)) == [*sums]  # the loss was left out
