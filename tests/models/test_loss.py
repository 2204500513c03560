import functools

import chex
import jax
import numpy as np
import pytest

from flq_jax.models import (
    MLP,
    Bits,
    Logistic,
    classification_loss,
    num_correct,
    predict,
)

LABELS = np.array([0, 3, 9, 3, 1], np.int32)
WEIGHTS = np.array([0.1, 0.4, 0.2, 0.3, 0.0], np.float32)


@pytest.fixture
def inputs():
    return np.random.default_rng(1).random((5, 4, 3), np.float32)


def squared_norm(params):
    return sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(params))


def test_loss_and_gradient_of_softmax_regression(drawn, inputs):
    model = Logistic()
    params = drawn(model, inputs)["params"]
    params["output"]["bias"] = np.linspace(-1.0, 1.0, 10, dtype=np.float32)
    loss, gradient = jax.jit(jax.value_and_grad(classification_loss(model, 0.3)))(
        params, inputs, LABELS, WEIGHTS
    )
    kernel, bias = (np.asarray(params["output"][k]) for k in ("kernel", "bias"))
    x = inputs.reshape(5, 12)
    exp = np.exp(x @ kernel.T + bias)
    softmax = exp / exp.sum(1, keepdims=True)
    cross_entropy = -np.log(softmax[np.arange(5), LABELS])
    expected = WEIGHTS @ cross_entropy + 0.15 * squared_norm(params)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    error = np.asarray(WEIGHTS)[:, None] * (softmax - np.eye(10)[LABELS])
    np.testing.assert_allclose(
        gradient["output"]["kernel"], error.T @ x + 0.3 * kernel, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        gradient["output"]["bias"], error.sum(0) + 0.3 * bias, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("bits", [Bits(), Bits(1, 1, 1), Bits(8, 8, 8)], ids=str)
def test_a_client_without_examples_has_the_penalty_alone(drawn, inputs, bits):
    model = MLP((6,), bits=bits)
    params = drawn(model, inputs)["params"]
    empty = np.zeros_like(inputs), np.zeros(5, np.int32), np.zeros(5, np.float32)

    @jax.jit
    def losses(params, empty, seed):
        penalised = jax.value_and_grad(classification_loss(model, 0.01))
        both = penalised(params, *empty, jax.random.key(seed))
        return *both, classification_loss(model)(params, *empty)

    value, gradient, plain = losses(params, empty, 2)
    np.testing.assert_allclose(value, 0.005 * squared_norm(params), rtol=1e-5)
    expected = jax.tree.map(lambda leaf: 0.01 * np.asarray(leaf), params)
    chex.assert_trees_all_close(gradient, expected, rtol=1e-5)
    assert float(plain) == 0.0


def test_noise_differs_by_key_and_not_the_loss(drawn, inputs):
    model = Logistic(bits=Bits(gradients=2))
    params = drawn(model, inputs)["params"]
    loss = jax.jit(jax.value_and_grad(classification_loss(model, 0.01)))
    draws = [loss(params, inputs, LABELS, WEIGHTS, jax.random.key(i)) for i in range(2)]
    assert float(draws[0][0]) == float(draws[1][0])
    one, other = (np.asarray(draw[1]["output"]["kernel"]) for draw in draws)
    assert np.any(one != other)


@functools.cache
def client_of(model):
    gradient = jax.value_and_grad(classification_loss(model, 0.01))

    @jax.jit
    def client(params, inputs, labels, weights, seed):
        return gradient(params, inputs, labels, weights, jax.random.key(seed))

    return client


@pytest.mark.parametrize("shared", (True, False), ids=["shared", "own"])
@pytest.mark.parametrize("bits", [Bits(), Bits(2, 2, 2)], ids=str)
def test_vmap_over_clients_is_a_loop(drawn, bits, shared):
    model = MLP((6,), num_classes=4, bits=bits)
    rng = np.random.default_rng(1)
    inputs, labels = rng.random((3, 5, 4, 3), np.float32), rng.integers(0, 4, (3, 5))
    weights = np.repeat(np.float32([[0.2], [0.0], [0.2]]), 5, axis=1)
    params = jax.tree.map(np.asarray, drawn(model, inputs[0])["params"])
    if not shared:
        params = jax.tree.map(lambda x: np.stack([x, x[::-1], -x]), params)
    client = client_of(model)

    def own(i):
        return params if shared else jax.tree.map(lambda leaf: leaf[i], params)

    loop = [client(own(i), inputs[i], labels[i], weights[i], i) for i in range(3)]
    loop = jax.tree.map(lambda *leaves: np.stack(leaves), *loop)
    batched = jax.jit(jax.vmap(client, in_axes=(None if shared else 0, 0, 0, 0, 0)))(
        params, inputs, labels, weights, np.arange(3)
    )
    chex.assert_trees_all_close(batched, loop, rtol=1e-4, atol=1e-5)


def test_predictions_are_counted():
    model = Logistic(num_classes=3, use_bias=False)
    params = {"output": {"kernel": np.eye(3, dtype=np.float32)}}
    inputs = np.float32([[0.1, 0.9, 0.0], [0.0, 0.2, 0.3], [1.0, 0.0, 0.5]])
    labels = np.int32([1, 0, 0])

    @jax.jit
    def both(params):
        return predict(model, params, inputs), num_correct(
            model, params, inputs, labels
        )

    predicted, count = both(params)
    np.testing.assert_array_equal(predicted, [1, 2, 0])
    assert int(count) == 2


@pytest.mark.parametrize("l2", (-0.1, float("nan")))
def test_negative_penalties_are_refused(l2):
    with pytest.raises(
        ValueError, match=f"l2 must be finite and 0 or more, got l2={l2}"
    ):
        classification_loss(Logistic(), l2)
