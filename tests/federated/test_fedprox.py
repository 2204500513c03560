import numpy as np
import optax
import pytest
from quadratics import alone, clients, loss

from flq_jax.federated import fedprox, local_epochs


def test_two_steps_by_hand():
    """From 0 to 2 by the slope -4; there -2 and the pull of 1 * 2 cancel."""
    work = fedprox(optimizer=optax.sgd(0.5), batch=1, steps=2, mu=1.0, loss=loss)
    value, moved, _ = alone(work, clients())
    np.testing.assert_allclose(moved, [-2.0], rtol=1e-6)
    np.testing.assert_allclose(value, (8.0 + 2.0) / 2, rtol=1e-6)


def test_many_steps_end_between_the_start_and_the_clients_minimum():
    """The minimum of (w - 4)^2 / 2 + 3 w^2 / 2 is 1."""
    work = fedprox(loss, optax.sgd(0.1), batch=1, mu=3.0, epochs=60)
    np.testing.assert_allclose(alone(work, clients())[1], [-1.0], rtol=1e-5)


def test_without_pull_it_is_federated_averaging():
    data = clients(sizes=(5, 7), d=3)
    near = fedprox(loss, optax.adam(0.1), batch=2, mu=0.0, epochs=2)
    plain = local_epochs(loss, optax.adam(0.1), batch=2, epochs=2)
    for ours, theirs in zip(alone(near, data)[:2], alone(plain, data)[:2]):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("mu", [-0.1, float("inf"), float("nan")])
def test_a_pull_out_of_range_is_refused(mu):
    with pytest.raises(ValueError, match=rf"fedprox: mu must .* got mu={mu}"):
        fedprox(loss, optax.sgd(0.1), 1, mu, epochs=1)


def test_either_epochs_or_steps():
    with pytest.raises(ValueError, match=r"fedprox: .* epochs=1 steps=2"):
        fedprox(loss, optax.sgd(0.1), 1, 0.1, epochs=1, steps=2)
    with pytest.raises(ValueError, match=r"fedprox: .* epochs=0 steps=0"):
        fedprox(loss, optax.sgd(0.1), 1, 0.1)
