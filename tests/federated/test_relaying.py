"""Broadcasts that say again what the clients said: Perm-K's parts, all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax import federated, keys
from flq_jax.compressors import innovation, perm_k
from flq_jax.data.clients import ClientData
from flq_jax.quantizers import in_parts, rotated, sign, uniform

CLIENTS, ROUNDS = 4, 3
SIGN = sign()


def apart(d, relayed, values=SIGN):
    """||theta - w|| / ||theta - theta before|| of each round but the first.

    Four clients with data of their own send a part each of d coordinates; w is the model
    that they hear after the round.
    """

    def loss(params, inputs, labels, weights, key):
        del key
        return jnp.dot(weights, (inputs @ params - labels) ** 2)

    drawn = np.random.default_rng(0).standard_normal((2, CLIENTS, 3, d))
    inputs, labels = drawn[0], drawn[1, ..., 0]
    data = ClientData(inputs, labels, np.int32([3] * CLIENTS))
    said_again = innovation(rotated(in_parts(values, CLIENTS)))
    down = federated.compressed(said_again, adopted=True, relayed=relayed)
    work, start = federated.gradient(loss), jnp.zeros(d)
    network = federated.everyone(CLIENTS)
    link, server = perm_k(CLIENTS, values), optax.sgd(0.1)
    fed = federated.federation(start, work, link, server, network, downlink=down)
    root = keys.seed_key(0)

    @jax.jit
    def round_of(data, state, k):
        state, _ = federated.round_step(fed, root, data, state, k)
        sent = federated.heard(
            down, keys.round_keys(root, k + 1), state.params, state.downlink, k + 1
        )
        moved = state.params - state.downlink.origin - state.downlink.clients
        missed = state.params - sent.model
        return state, jnp.linalg.norm(missed) / jnp.linalg.norm(moved)

    state, found = federated.init(fed, start, CLIENTS), []
    for k in range(ROUNDS):
        state, miss = round_of(data, state, np.int32(k))
        found.append(float(miss))
    return np.array(found)


@pytest.mark.parametrize("values", [SIGN, uniform(2)])
def test_what_all_parts_said_is_heard_exactly(values):
    assert (apart(16, True, values) < 1e-6).all()


def test_a_rotation_of_its_own_loses_what_signs_lose():
    """1 - 2 / pi of the energy of a Gaussian vector; here of 16 coordinates, four a scale."""
    missed = apart(16, False)
    assert (missed > 0.3).all() and (missed < 0.8).all()


@pytest.mark.parametrize("d", [500, 3951])
def test_of_a_padded_model_the_paddings_share_is_missed_at_most(d):
    """Parts z are cut to d of n coordinates, z' = z - P z with E ||P z||^2 / ||z||^2 =
    1 - d / n; no signs and scale are nearer to z' than `sign()`'s, those of z included:
    ||miss|| / ||z'|| <= sqrt(n / d - 1) on average. A tenth is for the rotations drawn."""
    n = 1 << (d - 1).bit_length()
    assert (apart(d, True) < 1.1 * (n / d - 1) ** 0.5).all()
