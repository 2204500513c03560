"""FedNova on quadratics: client 1 has one example, client 2 three."""

import functools

import numpy as np
import optax
import pytest
from quadratics import after, clients, loss

from flq_jax.federated import fednova, local_epochs

SGD = optax.sgd(1.0)


@functools.cache
def made(make, rate):
    return make(loss, optax.sgd(rate), batch=1, epochs=1)


def ended(make, rate, rounds):
    """The mean of the losses is least at 4 / 4 = 1."""
    work = made(make, rate)
    return after(work, SGD, rounds, clients(curvatures=(1.0, 1.0), sizes=(1, 3)))[0]


def test_one_round_by_hand():
    """Client 1 sends -2 from one step; tau = 1 / 4 + 3 * 3 / 4 = 5 / 2."""
    np.testing.assert_allclose(ended(fednova, 0.5, 1), [5 / 2 * 2 / 4], rtol=1e-6)
    np.testing.assert_allclose(ended(local_epochs, 0.5, 1), [2 / 4], rtol=1e-6)


def test_where_it_rests_by_hand():
    """1/4 1/2 (x - 4) + 3/4 7/8 x / 3 = 0 against 1/4 1/2 (x - 4) + 3/4 7/8 x = 0."""
    np.testing.assert_allclose(ended(fednova, 0.5, 60), [16 / 11], rtol=1e-5)
    np.testing.assert_allclose(ended(local_epochs, 0.5, 60), [0.64], rtol=1e-5)


def test_small_steps_lead_to_the_optimum_that_averaging_misses():
    assert abs(ended(fednova, 0.01, 800)[0] - 1.0) < 0.02
    assert abs(ended(local_epochs, 0.01, 800)[0] - 1.0) > 0.5


def test_momentum_weighs_early_gradients_more():
    """Of three steps with 1/2: 7/4 + 3/2 + 1."""
    work = fednova(loss, SGD, batch=1, epochs=1, momentum=0.5)
    np.testing.assert_allclose(work.normaliser(np.int32([0, 1, 3])), [1, 1, 4.25])


def test_a_momentum_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"fednova: momentum must .* momentum=1\.0"):
        fednova(loss, SGD, batch=1, epochs=1, momentum=1.0)
