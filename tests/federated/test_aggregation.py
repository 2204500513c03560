"""The vote of the majority, and what it takes to tell it to the clients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from test_rounds import D, clients, federation, run

from flq_jax import federated
from flq_jax.compressors import direct, innovation
from flq_jax.quantizers import sign


def _vote(weights, estimates):
    vote = federated.MAJORITY_VOTE
    return vote.verdict(weights @ vote.share(estimates))


def test_the_heavier_side_wins_and_a_tie_counts_as_plus():
    estimates = jnp.array([[5.0, 0.0, -1.0], [-1.0, -9.0, -1.0], [-1.0, 1.0, 0.1]])
    weights = jnp.array([0.2, 0.5, 0.3])
    # 0.2 - 0.5 - 0.3; 0.2 - 0.5 + 0.3, a tie; -0.2 - 0.5 + 0.3
    vote = _vote(weights, estimates)
    np.testing.assert_array_equal(vote, [-1.0, 1.0, -1.0])


def test_ties_do_not_depend_on_how_weights_are_rounded():
    # Of each pair of clients with as many examples one votes for it, one against it.
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 1000, (50, 60)).repeat(2, axis=1)
    weights = jnp.asarray(sizes / sizes.sum(axis=1, keepdims=True), jnp.float32)
    order = rng.permutation(120)
    votes = jnp.where(jnp.arange(120) % 2 == 0, 1.0, -1.0)[order, None]
    vote = jax.vmap(_vote, (0, None))(weights[:, order], votes)
    np.testing.assert_array_equal(vote, 1.0)


def test_a_bit_a_coordinate_brings_every_step_to_the_clients():
    # Clients at 0, 1 and 3 with 2, 4 and 1 examples pull theta = (-1, 2, 0.5) by
    # gradients theta - m: the votes are -, + and 2 - 4 - 1 < 0.
    fed = federation(
        direct(sign(1.0)),
        step=0.25,
        aggregate=federated.MAJORITY_VOTE,
        downlink=federated.compressed(innovation(sign())),
        server_optimizer=optax.sgd(0.25),
    )
    start = jnp.array([-1.0, 2.0, 0.5])
    state, (first, second) = run(fed, clients(), rounds=2, theta=start)
    np.testing.assert_allclose(state.params, start + jnp.array([0.5, -0.5, 0.5]))
    assert second.downlink_bits == D + 32
    np.testing.assert_array_equal(first.uplink_bits, [D, D, 0, D])
    # What the clients heard before the second step is the model of the first.
    heard = state.downlink.origin + state.downlink.clients
    np.testing.assert_allclose(heard, start + jnp.array([0.25, -0.25, 0.25]))
