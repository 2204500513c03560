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


# Adaptive federated optimizers (Reddi et al. 2021, Alg. 2) as optax has them. The first
# two mean updates are D and 2 D for D = 3 (of params - local params, a gradient's sign).
TAU, RATE = 0.5, 0.1


def steps(optimizer, first=3.0):
    """What the server takes in two rounds."""
    theta, taken = jnp.zeros(1), []
    state = optimizer.init(theta)
    for update in (first, 2 * first):
        moved, state = optimizer.update(jnp.array([update]), state, theta)
        taken.append(-float(moved[0]))
    return taken


def test_server_momentum():
    """FedAvgM (Hsu et al. 2019): v = D, then 0.9 D + 2 D."""
    np.testing.assert_allclose(
        steps(optax.sgd(1.0, momentum=0.9)), [3.0, 8.7], rtol=1e-6
    )


def test_fedadagrad():
    """v = tau^2 + 9, then + 36; tau is what v begins with, and the root has no other."""
    rule = optax.adagrad(RATE, initial_accumulator_value=TAU**2, eps=0.0)
    found = [RATE * 3 / 9.25**0.5, RATE * 6 / 45.25**0.5]
    np.testing.assert_allclose(steps(rule), found, rtol=1e-6)


def test_fedadam_without_momentum():
    """As printed: v = b2 v + (1 - b2) D^2 from tau^2, unbiased by nobody, and tau outside."""
    rms = optax.scale_by_rms(0.99, eps=TAU, initial_scale=TAU**2, eps_in_sqrt=False)
    v = 0.99 * TAU**2 + 0.01 * 9
    w = 0.99 * v + 0.01 * 36
    found = [RATE * 3 / (v**0.5 + TAU), RATE * 6 / (w**0.5 + TAU)]
    rule = optax.chain(rms, optax.scale(-RATE))
    np.testing.assert_allclose(steps(rule), found, rtol=1e-6)


def test_fedadam_with_optaxs_correction_of_bias():
    """m and v are divided by 1 - b^t, from 0: the first step is D / (|D| + tau)."""
    rule = optax.adam(RATE, b1=0.9, b2=0.99, eps=TAU)
    m, v = 0.09 * 3 + 0.1 * 6, 0.0099 * 9 + 0.01 * 36
    second = (m / 0.19) / ((v / 0.0199) ** 0.5 + TAU)
    np.testing.assert_allclose(steps(rule), [RATE * 3 / 3.5, RATE * second], rtol=1e-5)


def test_fedyogi_moves_v_by_its_square_and_no_more():
    """v = 0 + 0.01 * 9, and + 0.01 * 36 as v < 36. optax would begin m, too, at 1e-6."""
    yogi = optax.scale_by_yogi(0.9, 0.99, eps=TAU, initial_accumulator_value=0.0)
    rule = optax.chain(yogi, optax.scale(-RATE))
    m, v = 0.09 * 3 + 0.1 * 6, 0.09 + 0.36
    second = (m / 0.19) / ((v / 0.0199) ** 0.5 + TAU)
    np.testing.assert_allclose(steps(rule), [RATE * 3 / 3.5, RATE * second], rtol=1e-5)


def test_tau_bounds_the_step_of_a_coordinate_that_hardly_moves():
    """With optax's own eps it would be as long as any other: the rate."""
    tiny = 1e-6
    assert steps(optax.adam(RATE, eps=TAU), tiny)[0] < 1e-5 * RATE
    assert steps(optax.adam(RATE), tiny)[0] > 0.98 * RATE
