"""Broadcasts: exact, rounded, or what the model is ahead of what was heard."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import federated
from flq_jax.compressors import direct, error_feedback, innovation, lazy
from flq_jax.federated.downlink import downlink_state
from flq_jax.keys import round_keys
from flq_jax.quantizers import (
    Layout,
    Message,
    Quantizer,
    geometric,
    identity,
    segmented,
    sign,
    uniform,
    warm_up,
)

D = 30


def hearing(downlink):
    """A broadcast: (root, model, state, round index) -> what is heard, in numpy."""

    @jax.jit
    def hear(root, theta, state, k):
        return federated.heard(downlink, round_keys(root, k), theta, state, k)

    return lambda *args: jax.tree.map(np.asarray, hear(*args))


def follow(downlink, thetas, key):
    """What the clients hear of a sequence of models, f32[t, d]."""
    hear = hearing(downlink)
    state, models = downlink_state(downlink, thetas[0]), []
    for k, theta in enumerate(thetas):
        sent = hear(key, theta, state, np.int32(k))
        state = sent.state
        models.append(sent.model)
    return np.stack(models)


def walk(steps=20):
    steps = np.random.default_rng(0).standard_normal((steps, D))
    return np.cumsum(steps, axis=0).astype(np.float32)


def test_exact_floats_are_heard_bit_for_bit(key):
    thetas = walk()
    np.testing.assert_array_equal(follow(federated.exact(), thetas, key), thetas)


def test_a_memoryless_broadcast_is_the_quantizer_itself(key):
    quantizer, theta = segmented(uniform(8), (10, 20)), walk()[3]
    down = federated.uniform_downlink(8, (10, 20))

    @jax.jit
    def both(key, theta):
        state, keys = downlink_state(down, jnp.ones(D)), round_keys(key, 0)
        sent = federated.heard(down, keys, theta, state, 0)
        message = quantizer.encode(jax.random.clone(keys.downlink), theta)
        return sent, message, quantizer.decode(jax.random.clone(keys.downlink), message)

    sent, message, x_hat = both(key, theta)
    np.testing.assert_array_equal(sent.message.codes, message.codes)
    np.testing.assert_array_equal(sent.model, x_hat)


def test_innovations_start_from_the_model_that_both_ends_know(key):
    theta = walk()[0]
    down = federated.compressed(innovation(sign()))
    sent = hearing(down)(key, theta, downlink_state(down, theta), np.int32(0))
    np.testing.assert_array_equal(sent.model, theta)


def test_innovations_are_error_feedback_on_the_updates(key):
    # w_k = theta_0 + sum Q(u_j + e_j) with e <- u + e - Q(u + e), by hand, where
    # u_j = theta_j - theta_(j-1) (Tang et al. 2019).
    thetas = walk()
    heard = follow(federated.compressed(innovation(sign())), thetas, key)
    link = error_feedback(sign())

    @jax.jit
    def told(update, error):
        message, error = link.encode(key, update, error)
        return link.decode(key, message, ())[0], error

    error, _ = link.init(D)
    model, before = thetas[0], thetas[0]
    for k, theta in enumerate(thetas):
        update, error = told(theta - before, error)
        model, before = model + np.asarray(update), theta
        np.testing.assert_allclose(heard[k], model, rtol=1e-4, atol=1e-4)


def test_a_broadcast_beyond_2_31_bits_is_heard(key):
    """Three tensors of 2^30 bits each: as a sum in i32 that is below 0, or silence."""

    def encode(key, x):
        message = identity().encode(key, x)
        return Message(message.codes, message.side, jnp.int32(2**30))

    long = Quantizer(encode, identity().decode, lambda d: Layout.of("long", 2**30, d))
    down = federated.compressed(direct(segmented(long, (1, 1, 1))))
    theta = np.float32([1.0, -2.0, 3.0])
    sent = hearing(down)(key, theta, downlink_state(down, theta), np.int32(0))
    np.testing.assert_array_equal(sent.model, theta)
    assert down.compressor.layout(3).bits_of(sent.message.num_bits) == 3 * 2**30


def test_what_is_heard_stays_by_the_model(key):
    # Of a model at rest every broadcast leaves 1 / 15 of the largest distance.
    theta = walk()[5]
    down = federated.compressed(innovation(uniform(4)))
    start = downlink_state(down, theta)
    state, hear = start._replace(origin=theta - np.float32(3)), hearing(down)
    for k in range(3):
        sent = hear(key, theta, state, np.int32(k))
        state = sent.state
        distance = np.max(np.abs(sent.model - theta))
        assert distance <= 3.0 / 15 ** (k + 1) * (1 + 1e-3) + 1e-6


def test_both_ends_remember_the_same(key):
    down = federated.compressed(innovation(uniform(2)))
    state, hear = downlink_state(down, np.zeros(D, np.float32)), hearing(down)
    for k, theta in enumerate(walk()):
        state = hear(key, theta, state, np.int32(k)).state
        np.testing.assert_array_equal(state.server, state.clients)


def test_floats_are_broadcast_until_the_warm_up_is_over(key):
    thetas = walk(6)
    down = federated.compressed(innovation(warm_up(segmented(sign(), (10, 20)), 3)))
    heard = follow(down, thetas, key)
    np.testing.assert_allclose(heard[:3], thetas[:3], rtol=1e-5, atol=1e-5)
    assert np.all(np.linalg.norm(heard[3:] - thetas[3:], axis=1) > 0.1)
    # From there on it is what it would be if it started there.
    plain = federated.compressed(innovation(segmented(sign(), (10, 20))))
    np.testing.assert_allclose(
        heard[2:], follow(plain, thetas[2:], key), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    "link",
    [lazy(innovation(identity())), innovation(uniform(4, geometric(1.0, 0.9)))],
)
def test_what_cannot_be_broadcast_is_refused(link):
    with pytest.raises(ValueError, match="neither lazy nor on a grid"):
        federated.compressed(link)


def test_gradients_pass_straight_through():
    g = np.arange(3, dtype=np.float32)
    down = federated.compressed(direct(sign()))
    np.testing.assert_array_equal(down.pullback(np.ones(3, np.float32), g), g)
