"""SCALLION and SCAFCOM on quadratics, see `quadratics`."""

import functools

import jax
import numpy as np
import optax
import pytest
from quadratics import FLOATS, after, apart, clients, loss

from flq_jax import federated, keys
from flq_jax.compressors import direct
from flq_jax.quantizers import halved, identity, stochastic, top_k

RATE, STEPS = 0.25, 2
GAMMA = RATE * STEPS


@functools.cache
def scallion(alpha):
    return federated.scallion(loss, optax.sgd(RATE), 1, alpha, steps=STEPS)


@functools.cache
def scafcom(beta):
    return federated.scafcom(loss, optax.sgd(RATE), 1, beta, steps=STEPS)


def test_two_rounds_by_hand():
    """Mean gradients are -7/2 and 0, of which half is said; then x = -c / 2.

    From x = 7/16, with c = -7/8 and c_1 = -7/4, client 1 has slopes -57/16 and, after a step
    of 43/64, -185/64, whose mean is -413/128; client 2 has 21/16 and, after a step of -7/64,
    63/64, whose mean is 147/128.
    """
    held, own = after(scallion(0.5), optax.sgd(GAMMA), 1, clients())
    np.testing.assert_allclose(held.model, [7 / 16], rtol=1e-6)
    np.testing.assert_allclose(held.control, [-7 / 8], rtol=1e-6)
    np.testing.assert_allclose(own, [[-7 / 4], [0.0]], rtol=1e-6)
    held, own = after(scallion(0.5), optax.sgd(GAMMA), 2, clients())
    said = (-413 / 128 + 7 / 4) / 2, 147 / 256
    np.testing.assert_allclose(own, [[-7 / 4 + said[0]], [said[1]]], rtol=1e-6)
    mean = (said[0] + said[1]) / 2
    np.testing.assert_allclose(held.control, [-7 / 8 + mean], rtol=1e-6)
    np.testing.assert_allclose(held.model, [7 / 16 - (mean - 7 / 8) / 2], rtol=1e-6)


@pytest.mark.parametrize("asked", [1, 2])
def test_whole_and_in_floats_it_is_scaffold(asked):
    network = federated.sampled(asked, 2)
    data = clients((4.0, -1.0), d=3)
    one = federated.scaffold(loss, optax.sgd(RATE), 1, steps=STEPS)
    both = after(one, optax.sgd(1.0), 9, data, network=network)
    link = direct(halved(identity()))
    whole = after(scallion(1.0), optax.sgd(GAMMA), 9, data, link, network)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), whole, both)
    assert np.abs(whole[1]).max() > 1.0


def test_without_an_average_scafcom_is_scallion():
    link = direct(halved(stochastic(3)))
    data, server = clients(d=5), optax.sgd(GAMMA)
    held, own = after(scafcom(1.0), server, 3, data, link)
    other, controls = after(scallion(1.0), server, 3, data, link)
    np.testing.assert_allclose(held.model, other.model, rtol=1e-5)
    np.testing.assert_allclose(own.control, controls, rtol=1e-5)


def test_an_average_by_hand():
    """v = -7/8 and 0 of -7/2 and 0 at beta = 1/4, and all of it is said."""
    held, own = after(scafcom(0.25), optax.sgd(GAMMA), 1, clients())
    np.testing.assert_allclose(own.average, [[-7 / 8], [0.0]], rtol=1e-6)
    np.testing.assert_allclose(own.control, own.average)
    np.testing.assert_allclose(held.model, [7 / 32], rtol=1e-6)


def test_the_servers_variate_is_the_mean_of_the_clients_whatever_was_rounded():
    """Of clients that count unequally, two of four heard a round, in two bits."""
    sizes = (1, 2, 3, 6)
    data = clients((4.0, -1.0, 1.0, -2.0), (1.0, 3.0, 2.0, 1.0), sizes, d=8)
    link, network = direct(halved(stochastic(1))), federated.sampled(2, 4)
    held, own = after(scallion(0.2), optax.sgd(GAMMA), 7, data, link, network)
    assert np.abs(own).max() > 0.1
    np.testing.assert_allclose(held.control, np.array(sizes) / 12 @ own, atol=1e-5)


@pytest.mark.parametrize(
    "work, quantizer",
    [(scallion(0.2), stochastic(1)), (scafcom(0.5), top_k(0.25, 16))],
    ids=["unbiased", "biased"],
)
def test_what_is_left_out_leads_to_the_optimum(work, quantizer):
    """stochastic(1) has a variance of sqrt(16) = 4, and bears 1 / (1 + 4)."""
    data, best = apart(16)
    held, _ = after(work, optax.sgd(0.3), 400, data, direct(halved(quantizer)))
    np.testing.assert_allclose(held.model, best, atol=1e-4)


def test_one_vector_goes_up_and_two_come_down():
    start, link = np.zeros(5, np.float32), direct(halved(identity()))
    fed = federated.federation(
        start, scallion(0.5), link, optax.sgd(0.5), federated.everyone(2)
    )
    state = federated.init(fed, start, 2)
    step = functools.partial(federated.round_step, fed, keys.seed_key(0))
    _, metrics = jax.jit(step)(clients(d=5), state, np.int32(0))
    np.testing.assert_array_equal(metrics.uplink_bits, [160, 160])
    assert metrics.downlink_bits == 320


def test_a_whole_link_carries_the_same():
    server, data = optax.sgd(GAMMA), clients(d=2)
    whole = after(scallion(0.5), server, 4, data, FLOATS)
    half = after(scallion(0.5), server, 4, data, direct(halved(identity())))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), half, whole)
