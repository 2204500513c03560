"""FedBAT: gradients through the rounding by hand, and updates of two values."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax.data.clients import ClientData
from flq_jax.federated.binarized import binarize, binarized_epochs
from flq_jax.quantizers import segmented, sign


def test_gradients_by_hand():
    """alpha = 2 and u = -5, -1, 1, 3: ratios -2.5, -0.5, 0.5, 1.5; b with dice 0, 0.5."""
    u = jnp.float32([-5.0, -1.0, 1.0, 3.0])
    dice = jnp.float32([0.9, 0.9, 0.1, 0.0])
    # (ratio + 1) / 2 + dice = 0.15, 1.15, 0.85, 1.25: b = 0, 1, 0, 1.
    outcome, pull = jax.vjp(binarize, u, jnp.float32(2.0), dice)
    np.testing.assert_array_equal(outcome, [-2, 2, -2, 2])
    at_u, at_alpha, _ = pull(jnp.float32([10.0, 1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(at_u, [0, 1, 2, 0])
    # 10 (-1) + 1 (1 + 0.5) + 2 (-1 - 0.5) + 3 (1)
    assert float(at_alpha) == -10 + 1.5 - 3 + 3


def test_the_outcome_is_unbiased_within_alpha():
    dice = jnp.float32((np.arange(1000) + 0.5) / 1000)
    outcome = binarize(jnp.full(1000, 0.6), jnp.float32(2.0), dice)
    assert float(jnp.mean(outcome)) == pytest.approx(0.6, abs=2e-3)


def quadratic(params, inputs, labels, weights, key):
    del labels, key
    distances = jnp.sum((params["w"][None] - inputs) ** 2, axis=1) + params["b"] ** 2
    return 0.5 * jnp.dot(weights, distances)


@functools.cache
def trained(plain):
    """Of four examples at 1, -1, 0, 1 and size 3, from the origin: loss and update."""
    work = binarized_epochs(quadratic, optax.sgd(0.01), 2, 3, plain=plain)
    inputs = np.float32([[1, -1, 0, 1]] * 4)
    shard = ClientData(inputs, np.zeros(4, np.int32), np.int32(3))
    params = {"w": jnp.zeros(4), "b": jnp.float32(0.5)}
    update = jax.jit(lambda key, *told: work.update(key, *told, ())[:2])
    return jax.tree.map(np.asarray, update(jax.random.key(0), params, shard))


def test_updates_have_two_values_a_tensor_and_one_bit_sends_them():
    _, update = trained(0.5)
    alpha = np.abs(update["w"])
    assert (alpha == alpha[0]).all() and 5e-4 <= alpha[0] <= 5e-2
    x = np.append(update["b"], update["w"])
    link = segmented(sign(), (1, 4))
    message = link.encode(jax.random.key(0), x)
    x_hat = link.decode(jax.random.key(0), message)
    np.testing.assert_allclose(x_hat, x, rtol=1e-6)
    assert int(message.num_bits) == 5 + 2 * 32


def test_the_change_comes_after_the_plain_share_of_the_steps():
    """Six steps, three of them plain: then |u| = 1 - 0.99^3 of each 1, 3/4 of it on average.

    After them rho a moves alpha by little: within a third.
    """
    _, update = trained(0.5)
    expected = 0.75 * (1 - 0.99**3)
    assert 0.67 * expected < np.abs(update["w"][0]) < 1.5 * expected


def test_without_plain_steps_alpha_is_at_its_least():
    """alpha_0 = mean |u| = 0 at the first step."""
    _, update = trained(0.0)
    np.testing.assert_allclose(np.abs(update["w"]), 5e-4, rtol=1e-6)


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"rho": -1.0}, "rho=-1.0"),
        ({"plain": 1.0}, "plain=1.0"),
        ({"batch": 0}, "batch=0"),
    ],
)
def test_what_makes_no_sense_says_why(changes, match):
    arguments = {"batch": 2, "epochs": 1, **changes}
    with pytest.raises(ValueError, match=match):
        binarized_epochs(quadratic, optax.sgd(0.1), **arguments)
