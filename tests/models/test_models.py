"""Models: sizes by hand, values against numpy, low bits on their grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import models
from flq_jax.models.layers import scaled_weights


def _size(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
    "model, size",
    [
        (models.Logistic(), 7850),
        (models.Logistic(use_bias=False), 7840),
        (models.MLP((200,)), 159010),
        (models.MLP((128,)), 101770),
        (models.MLP((200, 200)), 784 * 200 + 200 + 200 * 200 + 200 + 200 * 10 + 10),
    ],
)
def test_number_of_parameters(model, size, key):
    assert _size(model.init(key, jnp.zeros((1, 28, 28)))) == size


def test_full_precision_mlp_against_numpy(key):
    model = models.MLP((3,), num_classes=2)
    params = model.init(key, jnp.zeros((1, 4)))
    x = np.random.default_rng(0).random((5, 4), np.float32)
    first, last = (params["params"][f"QuantDense_{i}"] for i in range(2))
    first, last = (jax.tree.map(np.asarray, layer) for layer in (first, last))
    hidden = np.maximum(x @ first["kernel"].T + first["bias"], 0)
    expected = hidden @ last["kernel"].T + last["bias"]
    np.testing.assert_allclose(model.apply(params, x), expected, rtol=1e-5)


def test_loss_and_gradient_by_hand():
    # Two classes, one feature, W = 0: logits are 0, ce = log 2, p = 1/2.
    model = models.Logistic(num_classes=2, use_bias=False)
    params = {"params": {"QuantDense_0": {"kernel": jnp.array([[0.0], [0.0]])}}}
    loss = models.classification_loss(model, l2=0.1)
    x, y, w = jnp.array([[1.0], [3.0]]), jnp.array([0, 1]), jnp.array([0.5, 0.5])
    value, grads = jax.value_and_grad(loss)(params, x, y, w, None)
    np.testing.assert_allclose(value, np.log(2), rtol=1e-6)
    # d/dW_0 = sum_i w_i (p_0 - 1[y_i = 0]) x_i = .5(-.5)(1) + .5(.5)(3) = 0.5
    np.testing.assert_allclose(
        grads["params"]["QuantDense_0"]["kernel"], [[0.5], [-0.5]], rtol=1e-6
    )


def test_without_examples_only_the_l2_term_is_left(key):
    model = models.Logistic(num_classes=3)
    params = model.init(key, jnp.zeros((1, 2)))
    loss = models.classification_loss(model, l2=0.5)
    nothing = jnp.zeros((4, 2)), jnp.zeros(4, int), jnp.zeros(4), None
    squares = sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(params))
    value, grads = jax.value_and_grad(loss)(params, *nothing)
    np.testing.assert_allclose(value, 0.25 * squares, rtol=1e-5)
    jax.tree.map(lambda g, p: np.testing.assert_allclose(g, 0.5 * p), grads, params)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_low_bit_weights_are_the_rounded_tanh_in_its_own_range(bits, key):
    w = jax.random.normal(key, (4, 30))
    top = jnp.max(jnp.abs(jnp.tanh(w)))
    error = jnp.max(jnp.abs(scaled_weights(w, bits) - jnp.tanh(w)))
    assert error <= top / (2**bits - 1) * (1 + 1e-5)
    assert len(np.unique(scaled_weights(w, bits))) <= 2**bits
    pulled = jax.grad(lambda w: jnp.sum(scaled_weights(w, 8)))(w)
    np.testing.assert_allclose(pulled, 1 - jnp.tanh(w) ** 2, atol=0.5)


@pytest.mark.parametrize("widths", [(1, 1, 1), (1, 2, 6), (8, 8, 8), (2, 32, 4)])
@pytest.mark.parametrize("make", [models.Logistic, lambda **k: models.MLP((8,), **k)])
def test_low_bit_gradients_are_finite_and_noisy(make, widths, key):
    model = make(widths=models.bits(*widths))
    x = jax.random.uniform(key, (6, 28, 28))
    params = model.init(jax.random.fold_in(key, 1), x)
    loss = models.classification_loss(model, 0.0)
    args = x, jnp.arange(6), jnp.full(6, 1 / 6)
    grads = [jax.grad(loss)(params, *args, jax.random.key(i)) for i in range(2)]
    for leaf, other in zip(*map(jax.tree.leaves, grads)):
        assert jnp.all(jnp.isfinite(leaf))
    assert any(not jnp.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, grads)))


def test_correct_predictions_are_counted():
    model = models.Logistic(num_classes=2, use_bias=False)
    params = {"params": {"QuantDense_0": {"kernel": jnp.array([[1.0], [-1.0]])}}}
    inputs = jnp.array([[255], [51]], jnp.uint8)
    assert models.num_correct(model, params, inputs, jnp.array([0, 1])) == 1


def test_bad_widths_and_l2_are_refused():
    with pytest.raises(ValueError, match="bits: activations.*bits=9"):
        models.bits(1, 9, 8)
    with pytest.raises(ValueError, match="l2=-1"):
        models.classification_loss(models.Logistic(), -1)
