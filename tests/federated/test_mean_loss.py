"""Per-example losses as a client's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import rounded_products

from flq_jax.federated import mean_of


def test_the_mean_is_that_of_the_examples_that_are_there():
    """(1 + 9) / 2; the blank row's loss, infinite, is not looked at."""
    loss = mean_of(lambda params, inputs, targets: (inputs - params) ** 2 / targets)
    batch = jnp.array([2.0, 4.0, 0.0]), jnp.array([1.0, 1.0, 0.0])
    assert loss(jnp.float32(1.0), *batch, jnp.array([0.5, 0.5, 0.0])) == 5.0
    assert loss(jnp.float32(1.0), *batch, jnp.zeros(3), jax.random.key(0)) == 0.0


@pytest.mark.parametrize("axis", [None, 1])
def test_a_loss_that_is_none_of_the_examples_is_refused(axis):
    loss = mean_of(lambda params, inputs, targets: jnp.mean(inputs, axis) * jnp.ones(1))
    with pytest.raises(ValueError, match=r"number for each example, \[3\], got \["):
        loss((), np.ones((1, 3)), (), np.ones(3))


def test_the_mean_is_taken_in_full_f32():
    loss = mean_of(lambda params, inputs, targets: (inputs - params) ** 2)
    args = jnp.float32(1.0), jnp.ones(3), jnp.ones(3), jnp.ones(3)
    assert not rounded_products(jax.jit(loss).lower(*args))
