"""Clients with losses a / 2 (w - t)^2, whose rounds can be worked by hand.

Client 1 has a = 1 and t = 4, client 2 has a = 3 and t = 0: where they count alike, the
mean of their losses is least at w = (1 * 4 + 3 * 0) / (1 + 3) = 1, with slopes -3 and 3.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax import federated, keys
from flq_jax.compressors import direct
from flq_jax.data.clients import ClientData
from flq_jax.quantizers import identity

FLOATS = direct(identity())


def loss(params, inputs, labels, weights, key):
    """sum_i weights_i a_i / 2 ||w - t_i||^2, of inputs t and labels a."""
    del key
    distances = jnp.sum((params[None, :] - inputs) ** 2, axis=1)
    return 0.5 * jnp.dot(weights * labels, distances)


def clients(targets=(4.0, 0.0), curvatures=(1.0, 3.0), sizes=(1, 1), d=1):
    """Client m holds sizes[m] copies of its t in each of d coordinates."""
    inputs = np.zeros((len(sizes), max(sizes), d), np.float32)
    labels = np.zeros(inputs.shape[:2], np.float32)
    for m, size in enumerate(sizes):
        inputs[m, :size], labels[m, :size] = targets[m], curvatures[m]
    return ClientData(inputs, labels, np.int32(sizes))


def apart(d):
    """(the clients with minima drawn in d coordinates, the least point of their mean)."""
    inputs = np.random.default_rng(0).standard_normal((2, 1, d)).astype(np.float32)
    return clients(d=d)._replace(inputs=inputs), (inputs[0, 0] + 3 * inputs[1, 0]) / 4


def after(work, server, rounds, data, link=FLOATS, network=None):
    """(what is broadcast, the clients' own memory) after so many rounds from 0."""
    network = federated.everyone(len(data.sizes)) if network is None else network
    found = _program(work, server, link, network, data.inputs.shape[2])(
        jax.tree.map(jnp.asarray, data), np.int32(rounds)
    )
    return jax.tree.map(np.asarray, found)


@functools.cache
def _program(work, server, link, network, d):
    start = jnp.zeros(d)
    fed = federated.federation(start, work, link, server, network)

    @jax.jit
    def run(data, rounds):
        step = functools.partial(federated.round_step, fed, keys.seed_key(0), data)
        state = federated.init(fed, start, len(data.sizes))
        state, *_ = federated.run_rounds(step, state, 0, rounds, 1000)
        return fed.unravel(state.params), state.local_memory

    return run


def alone(work, data, params=None):
    """(loss, update, memory) of one round of client 1 alone."""
    params = jnp.zeros(data.inputs.shape[2]) if params is None else params
    shard = jax.tree.map(lambda rows: rows[0], data)
    found = jax.jit(work.update)(keys.seed_key(0), params, shard, work.init(params))
    return jax.tree.map(np.asarray, found)
