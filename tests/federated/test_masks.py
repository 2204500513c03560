"""FedPM: masks drawn, trained and averaged, by hand."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax.data.clients import ClientData
from flq_jax.federated.masks import mask_server, mask_training, sampled_mask


def test_masks_are_as_likely_as_their_scores_say_and_pass_gradients_on():
    """sigmoid(log 3) = 3/4, whose slope is 3/16."""
    scores = {"w": jnp.full(20_000, math.log(3.0))}

    def loss(scores):
        mask = sampled_mask(jax.random.key(0), scores)["w"]
        return jnp.sum(2.0 * mask), mask

    grads, mask = jax.grad(loss, has_aux=True)(scores)
    np.testing.assert_allclose(grads["w"], 2 * 3 / 16, rtol=1e-5)
    assert set(np.unique(np.round(mask, 5))) == {0.0, 1.0}
    assert abs(float(jnp.mean(mask)) - 0.75) < 4 * 0.0031


def linear(params, inputs, labels, weights, key):
    """Less where the first weight is there, and more where the second is."""
    del inputs, labels, key
    return jnp.sum(weights) * (params["w"][1] - params["w"][0])


@functools.cache
def trained(start):
    """A mask of two weights, and the loss, after six steps from such scores."""
    w = {"w": jnp.float32([2.0, 2.0])}
    work = mask_training(linear, w, optax.sgd(10.0), 1, 2)
    shard = ClientData(np.zeros((3, 1), np.float32), np.zeros(3, np.int32), np.int32(3))
    update = jax.jit(lambda *args: work.update(*args, ())[:2])
    scores = {"w": np.full(2, start, np.float32)}
    return jax.tree.map(np.asarray, update(jax.random.key(1), scores, shard))


def test_what_helps_is_kept_and_what_harms_is_masked():
    """Slopes of 2 / 4 at a rate of 10: 5 up and 5 down in the first step alone."""
    loss, update = trained(0.0)
    np.testing.assert_array_equal(update["w"], [1.0, 0.0])
    assert -2.0 <= loss < 0.0


def test_the_server_takes_the_mode_of_its_posterior():
    """Means of 1/2 and 1: scores of 0 and log 99; over both rounds 3/4 and 1."""
    for reset, second in ((1, (1.0, 1.0)), (2, (0.75, 1.0))):
        server = mask_server(reset)
        scores = jnp.float32([3.0, 3.0])
        state = server.init(scores)
        updates, state = server.update(jnp.float32([0.5, 1.0]), state, scores)
        scores = scores + updates
        np.testing.assert_allclose(scores, [0.0, math.log(99)], atol=1e-4)
        updates, state = server.update(jnp.float32([1.0, 1.0]), state, scores)
        theta = 0.01 + 0.98 * np.array(second)
        expected = np.log(theta / (1 - theta))
        np.testing.assert_allclose(scores + updates, expected, atol=1e-4)


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: mask_server(0), "reset=0"),
        (lambda: mask_server(epsilon=0.5), "epsilon=0.5"),
        (lambda: mask_training(linear, {}, optax.sgd(0.1), 0, 1), "batch=0"),
    ],
)
def test_what_makes_no_sense_says_why(make, match):
    with pytest.raises(ValueError, match=match):
        make()
