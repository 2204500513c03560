"""Powers and clock speeds against roots by scipy, KKT conditions and cvxpy."""

import jax
import numpy as np
import pytest
import scipy.optimize

from flq_jax.wireless import power

N = 1000
for_deadline = jax.jit(power.power_for_deadline)
for_energy = jax.jit(power.power_for_energy)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def links():
    """(num_bits, snr_per_w, bandwidth_hz, power_max_w), each f[N]."""
    rng = np.random.default_rng(1)
    num_bits = np.floor(10 ** rng.uniform(3, 7, N))
    snr_per_w = 10 ** rng.uniform(0, 6, N)
    bandwidth_hz = 10 ** rng.uniform(5, 7, N)
    return num_bits, snr_per_w, bandwidth_hz, rng.uniform(0.01, 1, N)


def seconds(num_bits, power_w, snr_per_w, bandwidth_hz):
    return num_bits / (bandwidth_hz * np.log1p(power_w * snr_per_w) / np.log(2))


def test_deadline_is_met_with_equality(links):
    num_bits, snr_per_w, bandwidth_hz, power_max_w = links
    full_s = seconds(num_bits, power_max_w, snr_per_w, bandwidth_hz)
    deadline_s = full_s * 10 ** np.random.default_rng(2).uniform(-1, 2, N)
    u = jax.tree.map(
        np.asarray,
        for_deadline(num_bits, deadline_s, snr_per_w, bandwidth_hz, power_max_w),
    )
    # Rates grow with power: feasible iff full power is in time.
    np.testing.assert_array_equal(u.feasible, full_s <= deadline_s)
    assert 100 < np.sum(u.feasible) < N - 100
    needed_w = np.expm1(num_bits * np.log(2) / (bandwidth_hz * deadline_s)) / snr_per_w
    np.testing.assert_allclose(u.power_w, needed_w, rtol=1e-9)
    ok = u.feasible
    np.testing.assert_allclose(u.latency_s[ok], deadline_s[ok], rtol=1e-9)
    np.testing.assert_allclose(u.energy_j[ok], (needed_w * deadline_s)[ok], rtol=1e-9)
    assert np.all(np.isinf(u.energy_j[~ok])) and np.all(
        u.power_w[~ok] > power_max_w[~ok]
    )
    # Energy grows with power: any more power in time costs more.
    for share in (0.01, 0.1, 1.0):
        more_w = needed_w[ok] + share * (power_max_w - needed_w)[ok]
        energy_j = more_w * seconds(
            num_bits[ok], more_w, snr_per_w[ok], bandwidth_hz[ok]
        )
        assert np.all(energy_j > u.energy_j[ok])


def test_least_power_that_can_be_transmitted():
    u = for_deadline(1e3, 10.0, 100.0, 1e6, 1.0, power_min_w=0.2)
    assert u.power_w == 0.2 and u.latency_s < 10.0
    too_much = for_deadline(1e3, 10.0, 100.0, 1e6, 0.1, power_min_w=0.2)
    assert not too_much.feasible


def test_energy_budget_is_spent_by_the_fastest_upload(links):
    num_bits, snr_per_w, bandwidth_hz, power_max_w = links
    least_j = num_bits * np.log(2) / (bandwidth_hz * snr_per_w)  # as p -> 0
    budget_j = least_j * 10 ** np.random.default_rng(3).uniform(-0.5, 2, N)
    u = jax.tree.map(
        np.asarray,
        for_energy(num_bits, budget_j, snr_per_w, bandwidth_hz, power_max_w),
    )
    np.testing.assert_array_equal(u.feasible, budget_j > least_j)
    assert np.all(np.isinf(u.energy_j[~u.feasible]))

    def over_budget_j(power_w, i):
        link = num_bits[i], power_w, snr_per_w[i], bandwidth_hz[i]
        return power_w * seconds(*link) - budget_j[i]

    for i in np.flatnonzero(u.feasible):
        expected_w = power_max_w[i]
        if over_budget_j(expected_w, i) > 0:
            low_w = 1e-9 / snr_per_w[i]
            expected_w = scipy.optimize.brentq(
                over_budget_j, low_w, power_max_w[i], args=(i,), xtol=1e-20
            )
        assert abs(u.power_w[i] - expected_w) <= 1e-8 * expected_w
        assert u.energy_j[i] <= budget_j[i] * (1 + 1e-12)


def test_silence_is_free_and_feasible():
    upload = for_deadline(0, -1.0, 100.0, 1e6, 1.0)
    frugal = for_energy(0, 0.0, 100.0, 1e6, 1.0)
    for u in (upload, frugal):
        assert u.feasible.dtype == bool
        assert [float(x) for x in u] == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_hopeless_are_named(dtype):
    bits, link = dtype(1e4), [dtype(x) for x in (1e6, 1.0)]
    late = for_deadline(bits, dtype(0), dtype(100), *link)
    deaf = for_deadline(bits, dtype(1), dtype(0), *link)
    broke = for_energy(bits, dtype(0), dtype(100), *link)
    for u in (late, deaf, broke):
        assert not u.feasible and np.isinf(u.energy_j) and np.isinf(u.latency_s)
        assert u.power_w.dtype == dtype


def test_without_a_deadline_there_is_no_least_power():
    never = for_deadline(1e4, np.inf, 100.0, 1e6, 1.0)
    assert not never.feasible and never.power_w > 1.0 and np.isinf(never.energy_j)
    floor = for_deadline(1e4, np.inf, 100.0, 1e6, 1.0, power_min_w=0.2)
    assert floor.feasible and floor.power_w == 0.2 and np.isfinite(floor.latency_s)


CPU = {"capacitance": 1e-28, "frequency_min_hz": 0.3e9, "frequency_max_hz": 2e9}


@pytest.fixture(scope="module")
def paced(links):
    num_bits, snr_per_w, bandwidth_hz, power_max_w = links
    rng = np.random.default_rng(4)
    cycles = 10 ** rng.uniform(7, 9.5, N)
    shortest_s = cycles / 2e9 + seconds(num_bits, power_max_w, snr_per_w, bandwidth_hz)
    deadline_s = shortest_s * 10 ** rng.uniform(-0.2, 1, N)  # some too short

    def pace(cycles, num_bits, deadline_s, snr_per_w, bandwidth_hz, power_max_w):
        return power.pace_for_deadline(
            cycles,
            num_bits,
            deadline_s,
            snr_per_w=snr_per_w,
            bandwidth_hz=bandwidth_hz,
            power_max_w=power_max_w,
            **CPU,
        )

    with jax.enable_x64(True):
        o = jax.jit(pace)(
            cycles, num_bits, deadline_s, snr_per_w, bandwidth_hz, power_max_w
        )
    return cycles, deadline_s, shortest_s, jax.tree.map(np.asarray, o)


def test_pace_meets_the_deadline_within_its_ranges(links, paced):
    _, _, _, power_max_w = links
    cycles, deadline_s, shortest_s, o = paced
    np.testing.assert_array_equal(o.feasible, shortest_s <= deadline_s)
    ok = o.feasible
    assert 100 < ok.sum() < N
    assert np.all(np.isinf(o.energy_j[~ok]))
    assert np.all((0.3e9 <= o.frequency_hz) & (o.frequency_hz <= 2e9))
    assert np.all(o.upload.power_w[ok] <= power_max_w[ok])
    np.testing.assert_allclose(o.compute_s, cycles / o.frequency_hz, rtol=1e-12)
    total_s = (o.compute_s + o.upload.latency_s)[ok]
    np.testing.assert_allclose(total_s, deadline_s[ok], rtol=1e-9)
    energy_j = 1e-28 * cycles * o.frequency_hz**2 + o.upload.energy_j
    np.testing.assert_allclose(o.energy_j[ok], energy_j[ok], rtol=1e-12)


def test_pace_meets_its_kkt_conditions(links, paced):
    """Inside its range, a second is worth the same to the CPU and to the radio."""
    _, snr_per_w, _, power_max_w = links
    *_, o = paced
    p = o.upload.power_w.astype(np.longdouble)
    v = np.log1p(np.where(o.feasible, p, 0) * snr_per_w)
    sending = (v * np.exp(v) - np.expm1(v)) / snr_per_w
    computing = 2e-28 * o.frequency_hz**3
    slowest = o.frequency_hz <= 0.3e9 * (1 + 1e-12)
    fastest = o.frequency_hz >= 2e9 * (1 - 1e-12)
    loudest = p >= power_max_w * (1 - 1e-9)
    residual = (computing - sending) / (computing + sending)
    ok = o.feasible
    inside = ok & ~slowest & ~fastest & ~loudest
    assert inside.sum() > 100
    assert np.all(np.abs(residual[inside]) < 1e-8)
    # With no more time to take, computing is worth more; with none to give, less.
    assert np.all(residual[ok & (slowest | loudest)] >= -1e-8)
    assert np.all(residual[ok & fastest & ~loudest] <= 1e-8)
    assert min((ok & slowest).sum(), (ok & loudest).sum(), (ok & fastest).sum()) > 0


def test_pace_agrees_with_a_search(links, paced):
    cycles, deadline_s, _, o = paced
    ok = o.feasible
    cycles, deadline_s = cycles[ok], deadline_s[ok]
    num_bits, snr_per_w, bandwidth_hz, power_max_w = (x[ok] for x in links)
    least_s = seconds(num_bits, power_max_w, snr_per_w, bandwidth_hz)
    low_s, high_s = cycles / 2e9, np.minimum(cycles / 0.3e9, deadline_s - least_s)
    share = np.linspace(0, 1, 2001)[:, None]
    compute_s = low_s + (high_s - low_s) * share
    rest_s = deadline_s - compute_s
    v = num_bits * np.log(2) / (bandwidth_hz * rest_s)
    energy_j = 1e-28 * cycles**3 / compute_s**2 + rest_s * np.expm1(v) / snr_per_w
    best_j = energy_j.min(axis=0)
    assert np.all(o.energy_j[ok] <= best_j * (1 + 1e-12))
    np.testing.assert_allclose(o.energy_j[ok], best_j, rtol=1e-2)
