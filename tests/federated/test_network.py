"""The seam to the network: who is asked, who arrives, and what both ends remember."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax import federated, keys
from flq_jax.compressors import direct, error_feedback, innovation, lazy
from flq_jax.data.clients import ClientData
from flq_jax.federated import Federation, Network, Outcome, Plan
from flq_jax.federated.mirrored import both_ends
from flq_jax.quantizers import identity, one_of, sign, uniform

D, M, ROUNDS = 3, 4, 20
JOULES_A_BIT = 0.5
DIRECT = direct(identity())
# One bit: +-scale is exact, so the ends agree to the bit however XLA fuses them.
ONE_BIT = lazy(innovation(sign()), error_weight=0.0)


def quadratic(params, inputs, labels, weights, key):
    """1/2 sum_i weights_i ||theta - input_i||^2: the gradient is theta - the mean."""
    del labels, key
    return 0.5 * jnp.dot(weights, jnp.sum((params[None, :] - inputs) ** 2, axis=1))


class Script(NamedTuple):
    """A network that does as told, bool[ROUNDS, m] each, and counts its rounds.

    A round takes as many seconds as clients listen, and a joule each to compute.
    """

    listens: np.ndarray
    arrives: np.ndarray
    rounds_seen: np.int32


def script(listens, arrives, rounds_seen=0):
    """What the network does in its first rounds; thereafter nobody listens."""
    rows = np.zeros((2, ROUNDS, M), bool)
    rows[0, : len(listens)], rows[1, : len(arrives)] = listens, arrives
    return Script(*rows, np.int32(rounds_seen))


def scripted():
    def plan(key, state, round_index):
        del key
        choice = jnp.arange(M) % 3
        return Plan(jnp.arange(M), state.listens[round_index], choice, round_index)

    def settle(key, state, plan, num_bits, news):
        del key
        seconds = jnp.sum(plan.listens).astype(jnp.float32)
        joules = plan.listens + JOULES_A_BIT * num_bits
        new = state._replace(rounds_seen=state.rounds_seen + 1)
        return Outcome(state.arrives[plan.details], seconds, joules, new)

    return Network(lambda: (), plan, settle)  # the script takes its place


SCRIPTED = scripted()


def data():
    """Client m holds (m + 1, m + 1, m + 1), once."""
    inputs = np.tile(np.arange(1, M + 1, dtype=np.float32)[:, None, None], (1, 1, D))
    return ClientData(inputs, np.zeros((M, 1), np.int32), np.ones(M, np.int32))


@functools.cache
def jitted(compressor, network, step):
    """(a federation, its round: data, state, round index -> state, metrics)."""
    fed = Federation(
        local_update=federated.gradient(quadratic),
        compressor=compressor,
        downlink=federated.exact(),
        server_optimizer=optax.sgd(step),
        step_size=step,
        network=network,
        unravel=lambda theta: theta,
    )
    go = functools.partial(federated.round_step, fed, keys.seed_key(0))
    return fed, jax.jit(go)


def run(
    compressor,
    told,
    rounds,
    step=1.0,
    theta=(0.0, 0.0, 0.0),
    network=SCRIPTED,
    apart=False,
):
    """(final state, list of metrics), in numpy; `told` is the network's state.

    With `apart` each end has a memory of its own also of what both remember.
    """
    fed, go = jitted(compressor, network, step)
    state = federated.init(fed, np.asarray(theta, np.float32), M)._replace(network=told)
    state = both_ends(compressor, state) if apart else state
    log = []
    for k in range(rounds):
        state, metrics = go(data(), state, np.int32(k))
        log.append(jax.tree.map(np.asarray, metrics))
    return jax.tree.map(np.asarray, state), log


ALL, NONE = [True] * M, [False] * M


def test_only_listeners_compute_and_speak():
    listens = [[True, False, True, False]]
    state, (metrics,) = run(DIRECT, script(listens, [ALL]), 1)
    np.testing.assert_array_equal(metrics.uplink_bits, [96, 0, 96, 0])
    np.testing.assert_allclose(state.params, (1 + 3) / 2)
    np.testing.assert_allclose(metrics.loss, (1.5 + 13.5) / 2)
    assert metrics.listeners == 2 and metrics.lost == 0


def test_the_lost_are_paid_for_and_not_seen():
    state, (metrics,) = run(DIRECT, script([ALL], [[True, True, False, False]]), 1)
    np.testing.assert_array_equal(metrics.uplink_bits, [96] * M)
    np.testing.assert_allclose(state.params, (1 + 2) / 2)
    assert metrics.lost == 2 and metrics.listeners == M
    assert metrics.seconds == M
    np.testing.assert_allclose(metrics.joules, M + JOULES_A_BIT * 96 * M)


def test_news_is_how_far_the_server_s_estimate_moves():
    """Gradients are theta - (m + 1), and theta is 0 and then the mean, 2.5, thrice."""
    told = []

    def heard(compressor):
        def settle(key, state, plan, num_bits, news):
            jax.debug.callback(lambda n: told.append(np.asarray(n)), news)
            return SCRIPTED.settle(key, state, plan, num_bits, news)

        told.clear()
        network = SCRIPTED._replace(settle=settle)
        run(compressor, script([ALL] * 2, [ALL] * 2), 2, network=network)
        jax.effects_barrier()
        return told

    ones = np.arange(1.0, M + 1)
    first, second = heard(innovation(identity()))
    np.testing.assert_allclose(first, 3 * ones**2)
    np.testing.assert_allclose(second, 3 * 2.5**2, rtol=1e-6)
    first, second = heard(DIRECT)
    np.testing.assert_allclose(first, 3 * ones**2)
    np.testing.assert_allclose(second, 3 * (2.5 - ones) ** 2, rtol=1e-6)


def test_if_all_are_lost_the_model_stays():
    state, (metrics,) = run(DIRECT, script([ALL], [NONE]), 1)
    np.testing.assert_array_equal(state.params, 0.0)
    assert metrics.lost == M


@pytest.mark.parametrize(
    "link",
    [
        error_feedback(sign()),
        innovation(uniform(3)),
        lazy(innovation(sign()), weight=0.0, error_weight=0.0),
    ],
    ids=["error_feedback", "innovation", "lazy"],
)
def test_who_is_lost_or_absent_remembers_what_it_did_before(link):
    listens, arrives = [ALL, [True] * 3 + [False]], [ALL, [True, False, False, True]]
    before, after = (
        run(link, script(listens, arrives), rounds, 0.1, (0.0, 1.0, 5.0))[0]
        for rounds in (1, 2)
    )
    before, after = (
        (state.client_memory, state.server_memory) for state in (before, after)
    )
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(old[1:], new[1:])  # lost, lost, absent
    moved = jax.tree.map(lambda old, new: np.any(old[0] != new[0]), before, after)
    assert any(jax.tree.leaves(moved))


@pytest.mark.parametrize("seed", range(3))
def test_both_ends_agree_whatever_is_lost(seed):
    rng = np.random.default_rng(seed)
    listens, arrives = rng.uniform(size=(2, ROUNDS, M)) < 0.6
    told = script(listens, arrives)
    state, log = run(ONE_BIT, told, ROUNDS, step=0.1, apart=True)
    np.testing.assert_array_equal(state.client_memory.inner, state.server_memory)
    assert sum(metrics.lost for metrics in log) > 0
    assert np.any(state.server_memory != 0.0)


def test_a_scheduled_client_may_stay_silent_and_pays_for_computing_only():
    link = lazy(innovation(identity()), weight=0.0, error_weight=1.0)
    # A step of 0: from the second round on there is no news, so nobody speaks.
    state, log = run(link, script([ALL] * 2, [ALL, NONE]), 2, step=1e-30)
    np.testing.assert_array_equal(log[0].uplink_bits, [96] * M)
    np.testing.assert_array_equal(log[1].uplink_bits, 0)
    assert log[1].joules == M and log[1].lost == 0
    # Silence is not a loss: the lazy rule counts it.
    np.testing.assert_array_equal(state.client_memory.rule.silent_rounds, 1)


@pytest.mark.parametrize("memory", [direct, error_feedback, innovation])
def test_the_network_chooses_each_clients_width(memory):
    link = memory(one_of((sign(), uniform(4), identity())))
    state, (metrics,) = run(link, script([ALL], [ALL]), 1)
    np.testing.assert_array_equal(metrics.uplink_bits, [D + 32, 4 * D + 32, 32 * D, 35])
    # All coordinates are alike, so that every width is exact here.
    np.testing.assert_allclose(state.params, (1 + 2 + 3 + 4) / 4, rtol=1e-6)


def test_the_networks_state_is_carried():
    state, _ = run(DIRECT, script([ALL] * 3, [ALL] * 3, 7), 3)
    assert state.network.rounds_seen == 10


@pytest.mark.parametrize(
    "make", [federated.everyone, lambda m: federated.sampled(2, m)]
)
def test_the_ideal_networks_lose_nothing_and_cost_nothing(make):
    _, log = run(innovation(sign()), (), 3, network=make(M))
    for metrics in log:
        assert metrics.seconds == 0 and metrics.joules == 0 and metrics.lost == 0
        assert np.count_nonzero(metrics.uplink_bits) == metrics.listeners


@pytest.mark.parametrize("network", [federated.everyone(5), federated.sampled(2, 9)])
def test_a_network_of_other_clients_is_refused(network):
    """Rows that are not there would be read as the last one's."""
    made = federated.federation(
        jnp.zeros(D),
        federated.stateless(lambda key, params, shard: (0.0, params)),
        direct(identity()),
        optax.sgd(1.0),
        network,
    )
    with pytest.raises(ValueError, match=f"of the 4 clients, got .*{network.clients}"):
        federated.init(made, jnp.zeros(D), 4)
