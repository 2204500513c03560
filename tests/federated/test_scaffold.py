"""SCAFFOLD on quadratics, see `quadratics`."""

import functools

import jax
import numpy as np
import optax
import pytest
from quadratics import FLOATS, after, apart, clients, loss

from flq_jax import federated, keys
from flq_jax.compressors import direct, innovation, lazy
from flq_jax.quantizers import eden, sign, stochastic

SGD = optax.sgd(1.0)


@functools.cache
def work(rate=0.25, steps=2):
    return federated.scaffold(loss, optax.sgd(rate), batch=1, steps=steps)


def test_one_round_by_hand():
    """Client 1 goes 0, 1, 7/4 by slopes -4 and -3, whose mean is -7/2; client 2 stays."""
    held, own = after(work(), SGD, 1, clients())
    np.testing.assert_allclose(held.model, [7 / 8], rtol=1e-6)
    np.testing.assert_allclose(held.control, [-7 / 4], rtol=1e-6)
    np.testing.assert_allclose(own, [[-7 / 2], [0.0]], rtol=1e-6)


def test_it_ends_at_the_optimum_where_averaging_ends_elsewhere():
    """Averaging rests where 7/16 (x - 4) + 15/16 x = 0, at 14/11."""
    held, own = after(work(), SGD, 100, clients())
    np.testing.assert_allclose(held.model, [1.0], atol=1e-5)
    np.testing.assert_allclose(own, [[-3.0], [3.0]], atol=1e-5)
    plain = federated.local_steps(loss, optax.sgd(0.25), batch=1, steps=2)
    averaged, _ = after(plain, SGD, 100, clients())
    np.testing.assert_allclose(averaged, [14 / 11], rtol=1e-5)


def test_the_servers_variate_is_the_mean_of_the_clients_whatever_was_rounded():
    """Of clients that count unequally, two of four heard a round, in two bits."""
    sizes = (1, 2, 3, 6)
    data = clients((4.0, -1.0, 1.0, -2.0), (1.0, 3.0, 2.0, 1.0), sizes, d=8)
    held, own = after(
        work(), SGD, 7, data, direct(stochastic(1)), federated.sampled(2, 4)
    )
    assert np.abs(own).max() > 0.1
    np.testing.assert_allclose(held.control, np.array(sizes) / 12 @ own, atol=1e-5)


@pytest.mark.parametrize("link", [direct(stochastic(7)), direct(eden(1))])
def test_rounded_messages_lead_to_the_optimum(link):
    """Were a client's variate to move by its own numbers, they would end 0.4 away."""
    data, best = apart(16)
    held, _ = after(work(), optax.sgd(0.3), 300, data, link)
    np.testing.assert_allclose(held.model, best, atol=1e-4)


def test_both_vectors_are_counted_both_ways():
    start = np.zeros(5, np.float32)
    fed = federated.federation(start, work(), FLOATS, SGD, federated.everyone(2))
    state = federated.init(fed, start, 2)
    assert state.params.shape == (10,) and state.local_memory.shape == (2, 5)
    step = functools.partial(federated.round_step, fed, keys.seed_key(0))
    _, metrics = jax.jit(step)(clients(d=5), state, np.int32(0))
    np.testing.assert_array_equal(metrics.uplink_bits, [320, 320])
    assert metrics.downlink_bits == 320


@pytest.mark.parametrize(
    "link, network, says",
    [
        (lazy(innovation(sign())), federated.everyone(2), "may be silent"),
        (innovation(sign()), federated.sampled(1, 2), "everyone takes part"),
    ],
)
def test_links_that_count_a_message_twice_are_refused(link, network, says):
    with pytest.raises(ValueError, match=rf"scaffold and feddyn.*{says}"):
        federated.federation(np.zeros(1), work(), link, SGD, network)


def test_a_majority_vote_is_refused():
    with pytest.raises(ValueError, match="scaffold and feddyn.*another aggregate"):
        federated.federation(
            np.zeros(1),
            work(),
            direct(sign()),
            SGD,
            federated.everyone(2),
            aggregate=federated.MAJORITY_VOTE,
        )
