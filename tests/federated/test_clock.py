"""The rounds are the clock, whoever is heard."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from test_network import ALL, DIRECT, NONE, SCRIPTED, M, data, jitted, script

from flq_jax import federated, keys
from flq_jax.federated.clock import follows_a_schedule, waited

THETA = jnp.ones(3)
COSINE = optax.cosine_decay_schedule(1.0, 10)


def test_a_schedule_moves_on_and_moments_wait():
    optimizer = optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(COSINE))
    old = optimizer.init(THETA)
    _, new = optimizer.update(THETA, old, THETA)
    adam, schedule = waited(old, new)
    assert schedule.count == 1 and adam.count == 0
    np.testing.assert_array_equal(adam.mu, np.zeros(3))


def test_a_scheduled_weight_decay_moves_on_too():
    optimizer = optax.adamw(0.1, weight_decay=COSINE)
    old = optimizer.init(THETA)
    _, new = optimizer.update(THETA, old, THETA)
    adam, decay, _ = waited(old, new)
    assert decay.count == 1 and adam.count == 0
    assert not follows_a_schedule(old)  # the step does not


def test_injected_hyperparameters_move_on_and_what_is_inside_waits():
    optimizer = optax.inject_hyperparams(optax.adam)(learning_rate=COSINE)
    old = optimizer.init(THETA)
    _, new = optimizer.update(THETA, old, THETA)
    kept = waited(old, new)
    assert kept.count == 1
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            jax.tree.leaves(kept.inner_state), jax.tree.leaves(old.inner_state)
        )
    )


@pytest.mark.parametrize(
    "optimizer, follows",
    [
        (optax.sgd(0.1, momentum=0.9), False),
        (optax.adam(0.1), False),
        (optax.inject_hyperparams(optax.sgd)(learning_rate=0.1), False),
        (optax.sgd(COSINE), True),
        (optax.inject_hyperparams(optax.sgd)(learning_rate=COSINE), True),
        (optax.chain(optax.adam(0.1), optax.scale_by_schedule(COSINE)), True),
    ],
)
def test_an_optimizer_says_whether_its_step_follows_a_schedule(optimizer, follows):
    assert follows_a_schedule(optimizer.init(THETA)) == follows


def test_an_unheard_round_counts_for_the_schedule():
    """Half-way to 2.5 in rounds 0 and 1, no step from round 2 on; round 1 is not heard.

    By the updates' own count round 2 would still go half-way, to 1.875.
    """
    steps = optax.piecewise_constant_schedule(0.5, {2: 0.0})
    fed, _ = jitted(DIRECT, SCRIPTED, 1.0)
    fed = fed._replace(server_optimizer=optax.sgd(steps))
    go = jax.jit(functools.partial(federated.round_step, fed, keys.seed_key(0)))
    told = script([ALL] * 3, [ALL, NONE, ALL])
    state = federated.init(fed, np.zeros(3, np.float32), M)._replace(network=told)
    models = [state.params]
    for k in range(3):
        state, _ = go(data(), state, np.int32(k))
        models.append(state.params)
    np.testing.assert_allclose(models[1], 1.25)
    np.testing.assert_array_equal(models[2], models[1])
    np.testing.assert_array_equal(models[3], models[1])


def test_the_optimizer_is_told_the_round():
    """As 1-bit Adam needs it, within what else is chained to it."""

    def update(updates, state, params=None, *, round_index, **others):
        del state, params, others
        return updates, round_index

    listener = optax.GradientTransformationExtraArgs(lambda _: jnp.int32(0), update)
    fed, _ = jitted(DIRECT, SCRIPTED, 1.0)
    fed = fed._replace(server_optimizer=optax.chain(listener, optax.scale(-1.0)))
    state = federated.init(fed, np.zeros(3, np.float32), M)
    state = state._replace(network=script([ALL] * 8, [ALL] * 8))
    go = jax.jit(functools.partial(federated.round_step, fed, keys.seed_key(0)))
    state, _ = go(data(), state, np.int32(7))
    assert state.opt_state[0] == 7
