"""Compression between a gradient and its optimizer."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import flq_jax as flq
from flq_jax.collectives import MeanState, state_specs

R, D = 4, 16
TARGET = np.random.default_rng(0).normal(size=D).astype(np.float32)
LINK = flq.error_feedback(flq.sign())


def mesh():
    return Mesh(np.array(jax.devices()[:R]), ("data",))


def trained(rule, steps):
    """Replicas at noisy gradients of ||theta - target||^2 / 2: (theta, state)."""
    theta = jnp.zeros(D)
    state = rule.init(theta)
    noise = np.random.default_rng(1).normal(size=(steps, R, D)).astype(np.float32)
    specs = state_specs(state, "data")

    @jax.jit
    @functools.partial(
        jax.shard_map,
        mesh=mesh(),
        in_specs=(P(), specs, P(None, "data")),
        out_specs=(P(), specs),
    )
    def run(theta, state, noise):
        def step(carry, noise):
            theta, state = carry
            updates, state = rule.update(theta - TARGET + noise[0], state, theta)
            return (optax.apply_updates(theta, updates), state), None

        return jax.lax.scan(step, (theta, state), noise)[0]

    return run(theta, state, noise)


def test_replicas_train_together_in_a_chain():
    """With an error of a quarter or less left of a distance of about 4."""
    rule = optax.chain(
        flq.optax.compressed(LINK, "data", R), optax.sgd(0.05, momentum=0.5)
    )
    theta, state = trained(rule, 100)
    assert np.linalg.norm(theta - TARGET) < 0.25 * np.linalg.norm(TARGET)
    copies = {np.asarray(part.data).tobytes() for part in theta.addressable_shards}
    assert len(theta.addressable_shards) == R and len(copies) == 1
    assert isinstance(state[0], MeanState) and int(state[0].round_index) == 100
    assert state[0].senders.shape == (R, D)


def test_without_an_axis_an_update_is_what_a_receiver_would_decode():
    """g = (3, -1), then (1, 1) with the error (1, 1) of before: +-2 and 2."""
    rule = flq.optax.compressed(LINK)
    state = rule.init(jnp.zeros(2))
    update = jax.jit(rule.update)
    first, state = update(jnp.array([3.0, -1.0]), state)
    second, state = update(jnp.array([1.0, 1.0]), state)
    np.testing.assert_array_equal(first, [2.0, -2.0])
    np.testing.assert_array_equal(second, [2.0, 2.0])
    np.testing.assert_array_equal(state.senders, [[0.0, 0.0]])


def test_draws_differ_from_step_to_step_and_by_seed_alone():
    x = jnp.full(64, 0.3).at[0].set(1.0)

    def two(seed):
        rule = flq.optax.compressed(flq.terngrad(), seed=seed)
        update = jax.jit(rule.update)
        first, state = update(x, rule.init(x))
        return np.stack([first, update(x, state)[0]])

    assert not np.array_equal(*two(0))
    np.testing.assert_array_equal(two(0), two(0))
    assert not np.array_equal(two(0), two(1))


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: flq.optax.compressed(LINK, seed=-1), "^compressed: seed must be"),
        (lambda: flq.optax.compressed(flq.lazy(flq.innovation(flq.sign()))), "silent"),
        (lambda: flq.optax.compressed(LINK, None, 2), "replicas must be"),
    ],
)
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
