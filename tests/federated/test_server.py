"""A server's optimizer by tensors, and its step along the mean."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax.federated import by_tensor, step_along

PARAMS = {"b": jnp.zeros(2), "w": jnp.ones((2, 2))}


def test_each_tensor_has_the_rule_that_its_name_has():
    """b by 1 against 3, w by 0.5 against 4; in theta b comes first."""
    rule = optax.multi_transform(
        {"own": optax.sgd(1.0), "model": optax.sgd(0.5)}, {"b": "own", "w": "model"}
    )
    flat = by_tensor(rule, jax.eval_shape(lambda: PARAMS))
    gradient = jnp.array([3.0, 3.0, 4.0, 4.0, 4.0, 4.0])
    updates, _ = flat.update(gradient, flat.init(jnp.zeros(6)), jnp.zeros(6))
    np.testing.assert_array_equal(updates, [-3.0, -3.0, -2.0, -2.0, -2.0, -2.0])


def test_a_rule_without_tensors_is_the_same():
    rng = np.random.default_rng(0)
    flat, tensors = optax.adam(0.1), by_tensor(optax.adam(0.1), PARAMS)
    theta = jnp.zeros(6)
    ours, theirs = tensors.init(theta), flat.init(theta)
    for _ in range(3):
        g = jnp.asarray(rng.standard_normal(6), jnp.float32)
        a, ours = tensors.update(g, ours, theta, round_index=0)
        b, theirs = flat.update(g, theirs, theta)
        np.testing.assert_allclose(a, b, rtol=1e-6)  # other vectors, other rounding


@pytest.mark.parametrize(
    "optimizer, step",
    [
        (optax.sgd(0.1), 0.1),
        (optax.sgd(0.3, momentum=0.9), 0.3),
        (optax.adam(0.1), None),
        (optax.sign_sgd(0.1), None),
        (optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1)), None),
        (optax.sgd(-1.0), None),
        (
            optax.multi_transform(
                {"b": optax.sgd(1.0), "w": optax.sgd(2.0)}, {"b": "b", "w": "w"}
            ),
            None,
        ),
    ],
)
def test_only_a_step_along_the_mean_is_one(optimizer, step):
    assert step_along(optimizer, PARAMS) == step
