"""What a client's own work remembers moves on with what the server hears."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from test_network import ALL, M, data, script, scripted

from flq_jax import federated, keys
from flq_jax.compressors import direct, innovation, lazy
from flq_jax.data.clients import ClientData
from flq_jax.federated import LocalUpdate, federation
from flq_jax.quantizers import identity

D = 3


def counting():
    """Each client remembers how often it was heard; its update is its example."""

    def update(key, params, shard, memory):
        del key, params
        return jnp.float32(0.0), shard.inputs[0], memory + 1

    return LocalUpdate(update, lambda params: jnp.zeros(()), steps=1)


def rounds(fed, told, examples, count):
    go = jax.jit(functools.partial(federated.round_step, fed, keys.seed_key(0)))
    state = federated.init(fed, np.zeros(D, np.float32), M)._replace(network=told)
    for k in range(count):
        state, _ = go(examples, state, np.int32(k))
    return np.asarray(state.local_memory)


def made(link):
    return federation(jnp.zeros(D), counting(), link, optax.sgd(0.0), scripted())


def test_the_lost_the_absent_and_the_broken_keep_what_they_had():
    listens = [[True, True, True, False], [True, True, True, True]]
    arrives = [[True, False, True, True], [True, True, True, True]]
    examples = data()
    examples.inputs[2] = np.nan
    found = rounds(made(direct(identity())), script(listens, arrives), examples, 2)
    np.testing.assert_array_equal(found, [2, 1, 0, 1])


def test_the_silent_keep_what_they_had():
    """Their update never changes, so after the first round there is no news."""
    link = lazy(innovation(identity()))
    found = rounds(made(link), script([ALL] * 3, [ALL] * 3), data(), 3)
    np.testing.assert_array_equal(found, np.ones(M))


def scaffold(steps, rate):
    """SCAFFOLD (Karimireddy et al. 2020) with its second way to a control variate.

    The model is (x, c); each client remembers c_m:
        w <- w - rate (grad f_m(w) - c_m + c),   `steps` times from w = x,
        c_m' = c_m - c + (x - w) / (steps rate).
    """

    def update(key, params, shard, mine):
        del key
        gradient = jax.grad(
            lambda w: 0.5 * jnp.mean((shard.inputs @ w - shard.labels) ** 2)
        )

        def step(w, _):
            return w - rate * (gradient(w) - mine + params["c"]), None

        w, _ = jax.lax.scan(step, params["x"], None, length=steps)
        new = mine - params["c"] + (params["x"] - w) / (steps * rate)
        return jnp.float32(0.0), {"c": mine - new, "x": params["x"] - w}, new

    return LocalUpdate(update, lambda params: jnp.zeros_like(params["c"]), steps=steps)


def forgetful(steps, rate):
    """The same without control variates: federated averaging."""
    kept = scaffold(steps, rate)

    def update(key, params, shard, memory):
        params = params | {"c": jnp.zeros(D)}
        loss, delta, _ = kept.update(key, params, shard, jnp.zeros(D))
        return loss, delta | {"c": jnp.zeros(D)}, memory

    return LocalUpdate(update, steps=steps)


def test_with_control_variates_local_steps_end_at_the_optimum_of_the_mean():
    """Each client has an optimum of its own; the mean's solves the normal equations."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((M, 20, D)) * (1 + np.arange(M)[:, None, None] / 3)
    y = np.einsum("mnp,mp->mn", x, rng.standard_normal((M, D)))
    normal = np.einsum("mnp,mnq->pq", x, x)
    best = np.linalg.solve(normal, np.einsum("mnp,mn->p", x, y))
    shards = ClientData(
        x.astype(np.float32), y.astype(np.float32), np.full(M, 20, np.int32)
    )
    params = {"c": jnp.zeros(D), "x": jnp.zeros(D)}

    def distance(work):
        fed = federation(
            params, work, direct(identity()), optax.sgd(1.0), federated.everyone(M)
        )
        step = functools.partial(federated.round_step, fed, keys.seed_key(0), shards)
        state = federated.init(fed, params, M)
        state, *_ = jax.jit(
            lambda state: federated.run_rounds(step, state, 0, 200, 200)
        )(state)
        return np.linalg.norm(fed.unravel(state.params)["x"] - best)

    assert distance(scaffold(10, 0.05)) < 1e-5
    assert distance(forgetful(10, 0.05)) > 0.05
