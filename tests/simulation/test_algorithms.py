"""Client algorithms with more to say than a gradient, in a simulation."""

import jax
import numpy as np
import optax
import pytest

import flq_jax as flq

RNG = np.random.default_rng(0)
OWNERS = np.repeat(np.arange(4), (5, 10, 10, 15))
X = (RNG.standard_normal((40, 3)) * (1 + OWNERS[:, None])).astype(np.float32)
Y = np.einsum("np,np->n", X, RNG.standard_normal((4, 3))[OWNERS])
PARAMS = {"w": np.zeros(3)}
BEST = np.linalg.lstsq(X, Y, rcond=None)[0]


@flq.mean_of
def loss(params, inputs, targets):
    return (inputs @ params["w"] - targets) ** 2 / 2


def simulation(client, server=None, **changes):
    return flq.Simulation(
        PARAMS,
        loss,
        (X, Y),
        owners=OWNERS,
        client=client,
        server=optax.sgd(1.0) if server is None else server,
        **changes,
    )


def last(sim, rounds):
    return list(sim.run(rounds=rounds, every=rounds))[-1]


@pytest.mark.more
def test_scaffolds_two_vectors_are_counted_and_its_model_judged(tmp_path):
    """4 clients of 2 x 3 floats; each has an optimum of its own."""
    optimizer = optax.sgd(0.005)
    client = flq.scaffold(loss, optimizer, batch=40, epochs=5)
    sim = simulation(client)
    row = last(sim, 400)
    assert row["uplink_bits"] == 400 * 4 * 6 * 32
    assert row["downlink_bits"] == 400 * 6 * 32
    np.testing.assert_allclose(sim.params["w"], BEST, atol=1e-3)
    assert jax.tree.map(np.shape, sim.heard_params) == {"w": (3,)}
    assert row["train_loss"] == pytest.approx(np.mean((X @ BEST - Y) ** 2) / 2, 1e-3)
    plain = simulation(flq.local_epochs(loss, optimizer, batch=40, epochs=5))
    last(plain, 400)
    assert np.abs(plain.params["w"] - BEST).max() > 0.01
    sim.save(tmp_path)
    again = simulation(client)
    again.restore(tmp_path)
    assert last(again, 401) == last(sim, 401)


@pytest.mark.more
def test_feddyn_sends_one_vector_and_ends_at_the_optimum():
    client = flq.feddyn(loss, optax.sgd(0.005), batch=40, alpha=5.0, epochs=30)
    sim = simulation(client)
    row = last(sim, 400)
    assert row["uplink_bits"] == 400 * 4 * 3 * 32
    np.testing.assert_allclose(sim.params["w"], BEST, atol=1e-3)


def test_the_servers_optimizer_is_of_the_model_alone():
    """Adam, with labels by the model's own names, and SCAFFOLD's variates beside it."""
    rule = optax.partition({"all": optax.adam(0.1)}, {"w": "all"})
    client = flq.scaffold(loss, optax.sgd(0.005), batch=40, epochs=1)
    sim = simulation(client, rule)
    last(sim, 1)
    # Adam's first step is its rate, in each coordinate.
    np.testing.assert_allclose(np.abs(sim.params["w"]), 0.1, rtol=1e-4)
