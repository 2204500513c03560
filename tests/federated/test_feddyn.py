"""FedDyn on quadratics, see `quadratics`."""

import functools

import numpy as np
import optax
import pytest
from quadratics import after, alone, apart, clients, loss

from flq_jax import federated
from flq_jax.compressors import direct
from flq_jax.quantizers import stochastic

SGD = optax.sgd(1.0)


@functools.cache
def work(steps=60, alpha=1.0):
    return federated.feddyn(loss, optax.sgd(0.2), batch=1, alpha=alpha, steps=steps)


def test_one_round_by_hand():
    """(w - 4)^2 / 2 + w^2 / 2 is least at 2, so client 1 sends -2, client 2 nothing.

    The mean and h / alpha are -1 each, and the model goes to 2.
    """
    _, moved, _ = alone(work(), clients())
    np.testing.assert_allclose(moved, [-2.0], rtol=1e-5)
    model, own = after(work(), SGD, 1, clients())
    np.testing.assert_allclose(model, [2.0], rtol=1e-5)
    np.testing.assert_allclose(own, [[-2.0], [0.0]], atol=1e-5)


def test_it_ends_at_the_optimum_with_the_clients_slopes_as_memory():
    model, own = after(work(), SGD, 60, clients())
    np.testing.assert_allclose(model, [1.0], atol=1e-4)
    np.testing.assert_allclose(own, [[-3.0], [3.0]], atol=1e-4)


def test_rounded_messages_lead_to_the_optimum():
    """Were what a client remembers to move by its own numbers, they would end 0.07 away."""
    data, best = apart(16)
    model, _ = after(work(), optax.sgd(0.3), 300, data, direct(stochastic(7)))
    np.testing.assert_allclose(model, best, atol=1e-4)


def test_what_clients_remember_adds_up_whoever_is_heard():
    """The mean of all g_m is h; two of four are heard, in two bits, of unequal sizes."""
    sizes = (1, 2, 3, 6)
    data = clients((4.0, -1.0, 1.0, -2.0), (1.0, 3.0, 2.0, 1.0), sizes, d=8)
    link, network = direct(stochastic(1)), federated.sampled(2, 4)
    model, own = after(work(5), SGD, 1, data, link, network)
    heard = np.any(own != 0.0, axis=1)
    assert heard.sum() == 2
    p = np.array(sizes) / 12
    # x = -(mean u + h / alpha) with h = sum_m p_m g_m and mean u = h / (alpha S / N).
    h = p @ own
    np.testing.assert_allclose(model, -h * (1 + 1 / p[heard].sum()), rtol=1e-4)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf")])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(ValueError, match=rf"feddyn: alpha must .* got alpha={alpha}"):
        work(alpha=alpha)
