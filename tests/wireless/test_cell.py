"""Rounds of a cell, by hand and as a contract over plans."""

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.wireless import cell as cells

settle = jax.jit(cells.settle)


def small_cell(**fields):
    """Two clients, one block; round figures."""
    ones = jnp.ones(2)
    cell = cells.Cell(
        path_gain=jnp.asarray([1e-9, 1e-10]),
        interference_w=jnp.asarray([0.5e-13]),
        block_hz=jnp.asarray(1e6),
        noise_w=jnp.asarray(0.5e-13),
        power_max_w=0.1 * ones,
        frequency_min_hz=0.5e9 * ones,
        frequency_max_hz=1e9 * ones,
        capacitance=1e-28 * ones,
        downlink_hz=jnp.asarray(1e6),
        downlink_power_w=jnp.asarray(1.0),
        downlink_noise_w=jnp.asarray(1e-13),
        deadline_s=jnp.asarray(1.0),
        budget_j=1.0 * ones,
        waterfall=jnp.asarray(0.0),
    )
    return cell._replace(**fields)


def small_plan(**fields):
    """SNR 1 for the first, 3 for the second; 10^8 cycles at 1 GHz from 0.1 s on."""
    plan = cells.Plan(
        scheduled=jnp.ones(2, bool),
        eligible=jnp.ones(2, bool),
        block=jnp.asarray([0, 0]),
        choice=jnp.asarray([0, 0]),
        bits=jnp.asarray([1, 1]),
        num_bits=jnp.asarray([200_000, 200_000]),
        power_w=jnp.asarray([0.1, 0.1]),
        frequency_hz=jnp.full(2, 1e9),
        snr_per_w=jnp.asarray([10.0, 30.0]),
        start_s=jnp.full(2, 0.1),
        cycles=jnp.full(2, 1e8),
    )
    return plan._replace(**fields)


def test_a_round_by_hand(key):
    """1 and 2 Mbit/s: 0.2 and 0.1 s of sending after 0.1 s each of hearing and computing.

    Computing costs 1e-28 x 1e8 x 1e18 = 10 mJ; sending at 0.1 W 20 and 10 mJ.
    """
    outcome = settle(key, small_cell(), small_plan(), jnp.full(2, 200_000))
    np.testing.assert_allclose(outcome.latency_s, [0.4, 0.3], rtol=1e-6)
    np.testing.assert_allclose(outcome.energy_j, [0.03, 0.02], rtol=1e-6)
    np.testing.assert_allclose(outcome.elapsed_s, 0.4, rtol=1e-6)
    np.testing.assert_array_equal(outcome.arrived, [True, True])


def test_twice_the_bits_take_twice_the_upload(key):
    once, twice = (
        settle(jax.random.clone(key), small_cell(), small_plan(), jnp.full(2, n))
        for n in (100_000, 200_000)
    )
    upload_s = np.asarray([once.latency_s, twice.latency_s]) - 0.2
    np.testing.assert_allclose(upload_s[1], 2 * upload_s[0], rtol=1e-5)
    upload_j = np.asarray([once.energy_j, twice.energy_j]) - 0.01
    np.testing.assert_allclose(upload_j[1], 2 * upload_j[0], rtol=1e-5)


def test_silence_costs_the_computing_alone(key):
    outcome = settle(key, small_cell(), small_plan(), jnp.asarray([0, 200_000]))
    np.testing.assert_allclose(outcome.energy_j, [0.01, 0.02], rtol=1e-6)
    np.testing.assert_allclose(outcome.latency_s, [0.2, 0.3], rtol=1e-6)
    np.testing.assert_array_equal(outcome.arrived, [False, True])


def test_the_unscheduled_cost_nothing(key):
    plan = small_plan(scheduled=jnp.asarray([False, True]))
    outcome = settle(key, small_cell(), plan, jnp.full(2, 200_000))
    np.testing.assert_allclose(outcome.energy_j, [0.0, 0.02], rtol=1e-6)
    np.testing.assert_allclose(outcome.elapsed_s, 0.3, rtol=1e-6)
    np.testing.assert_array_equal(outcome.arrived, [False, True])


def test_the_late_pay_until_the_deadline(key):
    """The first would need 0.4 s; stragglers and deadlines."""
    cell = small_cell(deadline_s=jnp.asarray(0.35))
    outcome = settle(key, cell, small_plan(), jnp.full(2, 200_000))
    np.testing.assert_array_equal(outcome.arrived, [False, True])
    np.testing.assert_allclose(outcome.elapsed_s, 0.35)
    np.testing.assert_allclose(outcome.energy_j, [0.025, 0.02], rtol=1e-5)
    slow = settle(
        jax.random.clone(key), cell, small_plan(), jnp.full(2, 200_000), slowdown=2.0
    )
    np.testing.assert_array_equal(slow.arrived, [False, False])


def test_packets_are_lost_at_the_waterfalls_rate(key):
    cell, plan = small_cell(waterfall=jnp.asarray(1.0)), small_plan()
    settle = jax.vmap(cells.settle, in_axes=(0, None, None, None))
    outcome = jax.jit(settle)(jax.random.split(key, 4000), cell, plan, plan.num_bits)
    kept = np.exp([-1.0, -1 / 3])  # SNR 1 and 3
    error = np.sqrt(kept * (1 - kept) / 4000)
    assert np.all(np.abs(outcome.arrived.mean(axis=0) - kept) <= 5 * error)
    # The lost have paid and have been waited for.
    np.testing.assert_allclose(outcome.energy_j[:, 0], 0.03, rtol=1e-6)


def test_fading_scales_the_mean_link(key):
    cell = small_cell(interference_w=jnp.asarray([0.5e-13, 4.5e-13]))
    draw = jax.jit(
        jax.vmap(cells.draw_fading, in_axes=(0, None, None)),
        static_argnums=2,
        compiler_options={"xla_backend_optimization_level": 0},
    )
    for factor in (0.0, 4.0):
        keys = jax.random.split(jax.random.fold_in(key, int(factor)), 20_000)
        fading = draw(keys, cell, factor)
        # gain / (noise + interference): 1e-9 / 1e-13 and so on.
        mean = np.asarray([[1e4, 2e3], [1e3, 2e2]])
        np.testing.assert_allclose(
            fading.uplink_snr_per_w.mean(axis=0), mean, rtol=0.05
        )
        np.testing.assert_allclose(
            fading.downlink_snr.mean(axis=0), [1e4, 1e3], rtol=0.05
        )


def test_downlink_latency_by_hand():
    fading = cells.Fading(jnp.ones((2, 1)), jnp.asarray([1.0, 3.0]))
    latency_s = cells.downlink_latency_s(small_cell(), fading, 500_000)
    np.testing.assert_allclose(latency_s, [0.5, 0.25])


def test_state_follows_the_rounds(key):
    cell = small_cell()
    fading = cells.Fading(jnp.asarray([[10.0], [30.0]]), jnp.ones(2))
    state = cells.initial_state(cell, battery_j=0.025)
    arrived = jnp.asarray([True, False])
    outcome = cells.Outcome(
        arrived, jnp.ones(2), jnp.asarray([0.01, 0.03]), jnp.ones(())
    )
    state = cells.next_state(cell, state, fading, outcome)
    np.testing.assert_allclose(state.mean_snr, [1.0, 3.0])  # the first is the mean
    np.testing.assert_array_equal(state.age, [0, 1])
    np.testing.assert_allclose(state.battery_j, [0.015, 0.0], rtol=1e-5)
    state = cells.next_state(
        cell, state, fading._replace(uplink_snr_per_w=jnp.zeros((2, 1))), outcome
    )
    np.testing.assert_allclose(state.mean_snr, [0.99, 2.97], rtol=1e-6)
