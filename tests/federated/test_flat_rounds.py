"""Clients' examples that lie flat give the rounds of padded ones."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from more import more
from quadratics import FLOATS, loss

from flq_jax import federated, keys
from flq_jax.simulation import start

D, M = 3, 4
RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((24, D)).astype(np.float32)
LABELS = RNG.uniform(0.5, 1.5, 24).astype(np.float32)
# One with most of them, one with none; and one with all.
MOST = np.split(RNG.permutation(24), [15, 15, 18])
ALL = [np.arange(0), np.arange(24), np.arange(0), np.arange(0)]

SGD = optax.sgd(0.1)
WORK = {
    "full": federated.gradient(loss),
    "batch": federated.gradient(loss, batch=4),
    "fixed": federated.gradient(loss, batch=4, draw=federated.one_of_fixed),
    "epochs": federated.local_epochs(loss, SGD, batch=4, epochs=2),
    "steps": federated.local_steps(loss, SGD, batch=4, steps=2),
    "scaffold": federated.scaffold(loss, SGD, batch=4, steps=2),
}


def rounds(flat, work, network, devices, parts, monkeypatch):
    """(the state after two rounds, their figures)."""
    monkeypatch.setattr(start, "lies_flat", lambda *_: flat)
    mesh = jax.sharding.Mesh(jax.devices()[:devices], ("clients",))
    lie = {"batch": work.batch, "longest": 24, "everyone": network.everyone}
    data = start.spread(INPUTS, LABELS, parts, mesh, **lie)
    params = jnp.zeros(D)
    grouping = federated.in_groups(2, mesh)
    fed = federated.federation(params, work, FLOATS, SGD, network, grouping=grouping)
    state = federated.init(fed, params, M)
    state = jax.device_put(state, federated.state_sharding(mesh, state))

    @jax.jit
    def chunk(data, state):
        step = functools.partial(federated.round_step, fed, keys.seed_key(0), data)
        return federated.run_rounds(step, state, jnp.int32(0), jnp.int32(2), 2)

    return jax.tree.map(np.asarray, chunk(data, state)[:2])


@pytest.mark.parametrize(
    "work, asked, devices, everywhere, parts",
    [
        more("full", M, 1, True, MOST),
        ("batch", 2, 1, True, ALL),
        more("fixed", M, 1, True, MOST),
        ("epochs", M, 2, True, MOST),
        more("epochs", 2, 1, True, MOST),
        ("steps", 2, 2, False, MOST),
        more("scaffold", 2, 2, True, MOST),
        more("full", M, 2, True, ALL),
    ],
)
def test_rounds_are_those_of_padded_examples(
    monkeypatch, work, asked, devices, everywhere, parts
):
    monkeypatch.setattr(start, "MOST_EVERYWHERE", 10**9 * everywhere)
    network = federated.sampled(asked, M) if asked < M else federated.everyone(M)
    given = WORK[work], network, devices, parts, monkeypatch
    flat, padded = rounds(True, *given), rounds(False, *given)
    assert np.abs(padded[0].params).max() > 0
    # Equal draws of equal rows: what differs is the order of sums, of 24 at most.
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6),
        flat,
        padded,
    )
