"""A contract over policies: every plan is feasible, and played as planned it arrives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.wireless import bitwidth, planning, presets, scheduling
from flq_jax.wireless import cell as cells

M, R, P, RUNS = 15, 6, 7850, 200
LENGTHS = np.asarray(bitwidth.message_lengths(P))
TOO_LONG = [2 * 10**9] * 4  # the other widths, where one is to be fixed
BINARY, FLOATS = [np.asarray([n, *TOO_LONG], np.int32) for n in LENGTHS[[0, -1]]]
POLICIES = {
    "chen": planning.policy(scheduling.all_eligible(), "hungarian", "budget"),
    "frugal": planning.policy(
        scheduling.all_eligible(), "hungarian", "least", thrift=0.5
    ),
    "reliable": planning.policy(scheduling.all_eligible(), most_loss=0.2),
    "random": planning.policy(scheduling.random(R), "random", "least"),
    "all_out": planning.policy(scheduling.random(R), "random", "full"),
}
# Most of a plan's compile time is optimization that a small test does not repay.
quick_jit = functools.partial(
    jax.jit, compiler_options={"xla_backend_optimization_level": 0}
)
every_policy = pytest.mark.parametrize("name", POLICIES)


def plan_one(policy, cell, fading, key, lengths, stretch, thrift):
    """A first round: its plan, and its outcome with messages `stretch` times as long."""
    key_plan, key_settle = jax.random.split(key)
    plan = planning.plan_round(
        key_plan,
        policy._replace(thrift=thrift),
        cell,
        cells.initial_state(cell),
        fading,
        round_index=jnp.int32(0),
        cycles=jnp.full(M, 5e5),
        lengths=lengths,
        downlink_s=cells.downlink_latency_s(cell, fading, 8 * P + 32),
        value=jnp.linspace(100.0, 600.0, M),
    )
    return plan, cells.settle(key_settle, cell, plan, stretch * plan.num_bits)


def draw(key):
    """Chen et al.'s cell with a tight round and clocks to choose; no packet errors."""
    key_cell, key_fading = jax.random.split(key)
    cell = presets.chen_cell(key_cell, M, R)._replace(
        frequency_min_hz=jnp.full(M, 0.1e9),
        deadline_s=jnp.asarray(0.1),
        budget_j=jnp.full(M, 1e-3),
        waterfall=jnp.zeros(()),
    )
    return cell, cells.draw_fading(key_fading, cell)


@functools.cache
def scenarios():
    return quick_jit(jax.vmap(draw))(jax.random.split(jax.random.key(3), RUNS))


@functools.cache
def planner(policy):
    axes = (0, 0, 0, None, None, None)
    return quick_jit(jax.vmap(functools.partial(plan_one, policy), axes))


def rounds(name, lengths=LENGTHS, waterfall=0.0, stretch=1, thrift=None):
    """RUNS independent rounds, each in a cell of its own, as numpy arrays."""
    cell, fading = scenarios()
    cell = cell._replace(waterfall=jnp.full(RUNS, waterfall))
    keys = jax.random.split(jax.random.key(4), RUNS)
    policy = POLICIES[name]
    thrift = policy.thrift if thrift is None else thrift
    outcome = planner(policy)(cell, fading, keys, lengths, stretch, thrift)
    return jax.tree.map(np.asarray, (cell, *outcome))


@every_policy
def test_blocks_go_to_the_eligible_once_each(name):
    _, plan, _ = rounds(name)
    assert plan.scheduled.any() and not plan.scheduled.all()
    assert not np.any(plan.scheduled & ~plan.eligible)
    np.testing.assert_array_equal(plan.block >= 0, plan.scheduled)
    for block in plan.block:
        held = block[block >= 0]
        assert len(set(held)) == len(held) and np.all(held < R)


@every_policy
def test_the_silent_are_silent_throughout(name):
    _, plan, outcome = rounds(name)
    out = ~plan.scheduled
    for quiet in (plan.bits, plan.num_bits, plan.power_w, outcome.energy_j):
        assert np.all(quiet[out] == 0) and np.all(quiet[~out] > 0)
    assert np.all(plan.choice[out] == -1) and not np.any(outcome.arrived[out])


@every_policy
def test_played_as_planned_everyone_arrives_within_the_budgets(name):
    cell, plan, outcome = rounds(name)
    np.testing.assert_array_equal(outcome.arrived, plan.scheduled)
    assert np.all(outcome.latency_s <= cell.deadline_s[:, None])
    assert np.all(outcome.elapsed_s == outcome.latency_s.max(axis=1))
    assert np.all(plan.power_w <= cell.power_max_w * (1 + 1e-6))
    over = outcome.energy_j > cell.budget_j * (1 + 1e-5)
    if POLICIES[name].effort == "full":
        assert over.any()  # it asks for no budget
    else:
        assert not over.any()


def test_weak_clients_compress_and_strong_ones_do_not():
    _, plan, _ = rounds("random")
    at_max = 0.01 * plan.snr_per_w
    median = [np.median(at_max[plan.bits == b]) for b in bitwidth.WIDTHS]
    assert np.all(np.diff(median) > 0)
    assert set(np.unique(plan.bits)) == {0, *bitwidth.WIDTHS}


def test_fewer_bits_let_more_clients_in():
    """FLQ's case: with one bit a coordinate more links can carry the message."""
    binary = rounds("random", BINARY)[1]
    floats = rounds("random", FLOATS)[1]
    assert np.all(binary.eligible | ~floats.eligible)
    assert binary.scheduled.sum() > 1.2 * floats.scheduled.sum()


def test_least_effort_costs_least():
    """Same channel, same blocks, same lengths: less energy than at full clock or power."""
    least = rounds("random", BINARY)
    full = rounds("all_out", BINARY)
    both = (least[1].block == full[1].block) & least[1].scheduled
    assert both.sum() > 50
    assert np.all(least[2].energy_j[both] <= full[2].energy_j[both] * (1 + 1e-5))
    assert least[2].energy_j[both].sum() < 0.5 * full[2].energy_j[both].sum()


def test_hungarian_delivers_more_examples_than_chance():
    """The objective of Chen et al.: examples times their probability of arrival."""
    value, waterfall = np.linspace(100.0, 600.0, M), 1.0

    def expected(name):
        _, plan, _ = rounds(name, BINARY, waterfall)
        snr = np.where(plan.scheduled, plan.power_w * plan.snr_per_w, 1)
        return np.sum(value * plan.scheduled * np.exp(-waterfall / snr), axis=1)

    assert np.all(expected("chen") >= expected("random"))
    assert expected("chen").mean() > 1.2 * expected("all_out").mean()


def test_thrift_takes_the_cheaper_of_equal_blocks():
    """Without packet errors all blocks are equally good to Chen et al.'s weights."""
    spent = rounds("frugal", BINARY, thrift=0.0)
    saved = rounds("frugal", BINARY)
    np.testing.assert_array_equal(saved[1].scheduled.sum(), spent[1].scheduled.sum())
    assert saved[2].energy_j.sum() < spent[2].energy_j.sum()


def test_longer_messages_than_planned_come_late():
    """Ten times the bits in the time planned for one: no message is there in time."""
    cell, plan, outcome = rounds("random", BINARY, stretch=10)
    assert np.any(plan.scheduled) and not np.any(outcome.arrived)
    np.testing.assert_array_equal(outcome.elapsed_s, cell.deadline_s)


def test_no_message_is_planned_for_more_loss_than_accepted():
    """1 - exp(-w / SNR) <= 0.2 iff SNR >= w / -ln 0.8; clocks use what time is left."""
    waterfall = 1.0
    cell, plan, outcome = rounds("reliable", LENGTHS, waterfall)
    snr = (plan.power_w * plan.snr_per_w)[plan.scheduled]
    assert np.all(snr >= waterfall / -np.log(0.8) * (1 - 1e-5))
    assert np.any(snr > 1.1 * snr.min())  # some need more, to be in time
    kept = outcome.arrived[plan.scheduled].mean()
    assert kept >= 0.8 - 5 * np.sqrt(0.16 / snr.size)
    assert np.all(outcome.latency_s <= cell.deadline_s[:, None])
    slow = plan.frequency_hz < 0.9 * cell.frequency_max_hz
    assert np.any(slow[plan.scheduled])


def test_batteries_run_out_over_the_rounds():
    cell, _ = jax.tree.map(lambda x: x[0], scenarios())
    policy = POLICIES["chen"]

    def step(state, k):
        key = jax.random.fold_in(jax.random.key(6), k)
        key_fading, key_plan, key_settle = jax.random.split(key, 3)
        fading = cells.draw_fading(key_fading, cell)
        plan = planning.plan_round(
            key_plan,
            policy,
            cell,
            state,
            fading,
            round_index=k,
            cycles=jnp.full(M, 5e5),
            lengths=bitwidth.message_lengths(P),
            downlink_s=cells.downlink_latency_s(cell, fading, 8 * P + 32),
            value=jnp.ones(M),
        )
        outcome = cells.settle(key_settle, cell, plan, plan.num_bits)
        return cells.next_state(cell, state, fading, outcome), (plan, outcome)

    state = cells.initial_state(cell, battery_j=0.02)
    run = quick_jit(lambda state: jax.lax.scan(step, state, jnp.arange(150)))
    last, (plan, outcome) = run(state)
    spent_j = jnp.sum(outcome.energy_j, axis=0)
    np.testing.assert_allclose(last.battery_j, 0.02 - spent_j, rtol=1e-3, atol=1e-6)
    assert jnp.all(spent_j <= 0.02 * (1 + 1e-5))
    served = np.sum(plan.scheduled, axis=1)
    assert served[:10].mean() > 2 * served[-10:].mean()


@pytest.mark.parametrize(
    "field, value",
    [
        ("assignment", "hamming"),
        ("effort", "most"),
        ("thrift", 1.0),
        ("most_loss", 0.0),
    ],
)
def test_policy_names_what_it_does_not_know(field, value):
    with pytest.raises(
        ValueError, match=f"policy: {field} must be .*{field}={value!r}"
    ):
        planning.policy(scheduling.all_eligible(), **{field: value})
