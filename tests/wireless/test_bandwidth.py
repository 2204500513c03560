"""Splits of a band against KKT conditions and cvxpy, a thousand instances each."""

import warnings

import jax
import numpy as np
import pytest

from flq_jax.wireless import bandwidth

N, M = 1000, 5
N0 = 4e-21
BAND_HZ = 1e6
required_hz = jax.jit(bandwidth.required_bandwidth_hz)
over_cells = (0, 0, 0, 0, None, None)
least_makespan = jax.jit(jax.vmap(bandwidth.least_makespan, over_cells))
least_energy = jax.jit(jax.vmap(bandwidth.least_energy, over_cells))


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def rate_bps(b, power_w, gain):
    return b * np.log2(1 + power_w * gain / (N0 * b))


@pytest.fixture(scope="module")
def cells():
    """(num_bits, ready_s, power_w, gain), f[N, M] each; some clients are silent."""
    rng = np.random.default_rng(5)
    num_bits = np.floor(10 ** rng.uniform(4, 6, (N, M))) * (
        rng.uniform(size=(N, M)) < 0.9
    )
    num_bits[:, 0] += num_bits.sum(axis=1) == 0  # at least one speaks
    ready_s = rng.uniform(0, 1, (N, M))
    gain = 10 ** rng.uniform(-14, -11, (N, M))
    return num_bits, ready_s, 10 ** rng.uniform(-2.5, 0, (N, M)), gain


def solve(fn, *args):
    """What `fn` makes of all cells, as numpy arrays."""
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, fn(*args, N0, BAND_HZ))


@pytest.fixture(scope="module")
def fastest(cells):
    return solve(least_makespan, *cells)


@pytest.fixture(scope="module")
def cheapest(cells):
    num_bits, ready_s, power_w, gain = cells
    airtime_s = 3.0 - ready_s
    return airtime_s, solve(least_energy, num_bits, airtime_s, power_w, gain)


@pytest.fixture(scope="module")
def least_hz(cells, cheapest):
    """What each client needs at its full power to send in its airtime, f[N, M]."""
    num_bits, _, power_w, gain = cells
    with jax.enable_x64(True):
        return np.asarray(required_hz(num_bits / cheapest[0], power_w * gain / N0))


def test_required_bandwidth_gives_the_rate():
    b = np.geomspace(1e2, 1e8, 200)
    a = 2.5e7
    rates_bps = np.append(b * np.log2(1 + a / b), [0.0, 1.01 * a / np.log(2)])
    needed_hz = np.asarray(required_hz(rates_bps, a))
    np.testing.assert_allclose(needed_hz[:-2], b, rtol=1e-9)
    ends = needed_hz[-2:]
    np.testing.assert_array_equal(ends, [0.0, np.inf])


def test_all_senders_finish_together(cells, fastest):
    """Optimal: with equal finishes, a faster one would need hertz from another."""
    num_bits, ready_s, power_w, gain = cells
    sends = num_bits > 0
    assert np.all(fastest.feasible)
    np.testing.assert_allclose(fastest.bandwidth_hz.sum(axis=1), BAND_HZ, rtol=1e-9)
    assert np.all(fastest.bandwidth_hz.sum(axis=1) <= BAND_HZ * (1 + 1e-12))
    np.testing.assert_array_equal(fastest.bandwidth_hz > 0, sends)
    finish_s = ready_s + fastest.latency_s
    makespan_s = np.where(sends, finish_s, -np.inf).max(axis=1, keepdims=True)
    assert np.all(np.where(sends, makespan_s - finish_s, 0) <= 1e-8 * makespan_s)
    latency_s = num_bits / rate_bps(np.maximum(fastest.bandwidth_hz, 1), power_w, gain)
    np.testing.assert_allclose(fastest.latency_s, latency_s, rtol=1e-9)
    np.testing.assert_allclose(fastest.energy_j, power_w * latency_s, rtol=1e-9)


def solved(problem_of, some):
    """A solver's values for some cells, of a problem and what it says of each of them.

    It stalls on many cells together, and on which of them depends on the machine: then it
    is given half of them at a time.
    """
    problem, value_of_each = problem_of(some)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        problem.solve(solver="CLARABEL")
    if problem.status != "optimal" and len(some) > 1:
        halves = np.array_split(some, 2)
        return np.concatenate([solved(problem_of, half) for half in halves])
    return value_of_each()


def test_makespans_agree_with_cvxpy(cells, fastest):
    cp = pytest.importorskip("cvxpy")

    def problem_of(some):
        num_bits, ready_s, power_w, gain = (each[some] for each in cells)
        latency_s, bandwidth_hz = fastest.latency_s[some], fastest.bandwidth_hz[some]
        sends = num_bits > 0
        ours = np.where(sends, ready_s + latency_s, 0).max(axis=1)
        # In units of our bandwidths, x, and of our makespans: all answers are 1. The
        # rate x ln(1 + a / x) is concave; with v = ln(1 + a), x v is taken out of it.
        i, j = np.nonzero(sends)
        b0 = bandwidth_hz[i, j]
        a = (power_w * gain / N0)[i, j] / b0
        x, longest = cp.Variable(i.size), cp.Variable(len(some))
        v = np.log1p(a)
        rate = cp.multiply(1 / v, -cp.rel_entr(x, (x + a) / (1 + a))) + x
        left = (ours[i] - ready_s[i, j]) / ours[i]
        rest = 1 + (longest[i] - 1) / left
        shares = np.zeros((len(some), i.size))
        shares[i, np.arange(i.size)] = b0 / BAND_HZ
        met = [shares @ x <= 1, rate >= cp.inv_pos(rest)]
        return cp.Problem(cp.Minimize(cp.sum(longest)), met), lambda: longest.value

    np.testing.assert_allclose(solved(problem_of, np.arange(N)), 1.0, rtol=1e-5)


def test_energies_meet_their_kkt_conditions(cells, cheapest):
    """One price of a hertz for all who are not held up by their full power."""
    num_bits, _, power_w, gain = cells
    airtime_s, split = cheapest
    b, p = split.bandwidth_hz, split.power_w
    served = split.feasible & (num_bits > 0)
    full = served.any(axis=1)
    np.testing.assert_allclose(b.sum(axis=1)[full], BAND_HZ, rtol=1e-8)
    assert np.all(b.sum(axis=1) <= BAND_HZ * (1 + 1e-12))
    np.testing.assert_array_equal(b > 0, served)
    safe_hz = np.where(served, b, 1)
    sent = airtime_s * rate_bps(safe_hz, np.maximum(p, 1e-99), gain)
    np.testing.assert_allclose(sent[served], num_bits[served], rtol=1e-9)
    assert np.all(p <= power_w)
    np.testing.assert_allclose(
        split.energy_j[served], (p * airtime_s)[served], rtol=1e-12
    )
    # -dE/db = t N0 / g phi(v): what one more hertz would save.
    v = np.where(served, num_bits * np.log(2) / (airtime_s * safe_hz), 1)
    v = v.astype(np.longdouble)
    saved = airtime_s * N0 / gain * (v * np.exp(v) - np.expm1(v))
    loud = p >= power_w * (1 - 1e-9)
    free = served & ~loud
    price = np.where(free, saved, 0).max(axis=1, keepdims=True)
    price = np.where(price > 0, price, np.inf)
    assert np.all((np.abs(saved - price) / price)[free] < 1e-7)
    # At full power a hertz less would break the deadline; it is worth no more than that.
    held = served & loud & free.any(axis=1, keepdims=True)
    assert np.all((saved / price)[held] <= 1 + 1e-7)
    assert held.sum() >= 5 and (num_bits == 0).sum() > 100


@pytest.mark.parametrize("part", range(20))
def test_energies_agree_with_cvxpy(cells, cheapest, least_hz, part):
    """A twentieth of the cells at a time."""
    cp = pytest.importorskip("cvxpy")
    airtimes_s, split = cheapest
    all_served = split.feasible & (cells[0] > 0)

    def problem_of(some):
        num_bits, _, _, gain = (each[some] for each in cells)
        airtime_s, served = airtimes_s[some], all_served[some]
        ours = np.where(served, split.energy_j[some], 0).sum(axis=1)
        i, j = np.nonzero(served)
        b0 = split.bandwidth_hz[some][i, j]
        v = num_bits[i, j] * np.log(2) / airtime_s[i, j] / b0
        # Bandwidths in units of ours, x; x exp(v / x) = e^v grown, with grown about 1.
        x, grown = cp.Variable(i.size), cp.Variable(i.size)
        joules = (airtime_s * N0 / gain)[i, j] / ours[i] * b0
        bills = cp.multiply(joules * np.exp(v), grown) - cp.multiply(joules, x)
        shares = np.zeros((len(some), i.size))
        shares[i, np.arange(i.size)] = b0 / BAND_HZ
        met = [
            cp.constraints.ExpCone(v - cp.multiply(v, x), x, grown),
            shares @ x <= 1,
            x >= least_hz[some][i, j] / b0,
        ]
        problem = cp.Problem(cp.Minimize(cp.sum(bills)), met)
        return problem, lambda: np.bincount(i, bills.value)

    some = np.flatnonzero(all_served.any(axis=1))[part::20]
    np.testing.assert_allclose(solved(problem_of, some), 1.0, rtol=1e-5)


def test_the_largest_set_that_fits_is_served(cells, cheapest, least_hz):
    """Against all 2^M subsets; the silent are feasible and cost nothing."""
    num_bits, split = cells[0], cheapest[1]
    subsets = (np.arange(2**M)[:, None] >> np.arange(M)) & 1
    masked = np.where(np.isfinite(least_hz), least_hz, 1e30)
    fits = subsets @ masked.T <= BAND_HZ
    largest = np.where(fits, subsets.sum(axis=1, keepdims=True), 0).max(axis=0)
    np.testing.assert_array_equal(split.feasible.sum(axis=1), largest)
    assert 100 < (largest < M).sum() < N - 100
    assert np.all(np.isinf(split.energy_j) == ~split.feasible)
    assert np.all(split.bandwidth_hz[~split.feasible] == 0)
    assert np.all(split.energy_j[(num_bits == 0)] == 0)


def test_no_split_of_the_unreachable():
    bits, gain = np.full((N, M), 1e5), np.tile([1e-11, 0.0, 1e-11, 0.0, 0.0], (N, 1))
    bits[N // 2 :] = 0  # nobody speaks in the second half of the cells
    ready_s, power_w = np.zeros((N, M)), np.full((N, M), 0.1)
    fast = solve(least_makespan, bits, ready_s, power_w, gain)
    cheap = solve(least_energy, bits, ready_s + 1, power_w, gain)
    for split in (fast, cheap):
        np.testing.assert_array_equal(split.feasible[0], [True, False] * 2 + [False])
        np.testing.assert_allclose(
            split.bandwidth_hz[0], [5e5, 0, 5e5, 0, 0], rtol=1e-9
        )
    assert fast.feasible[-1].all() and np.all(fast.latency_s[-1] == 0)


def test_single_precision_keeps_the_band():
    rng = np.random.default_rng(6)
    bits = np.floor(10 ** rng.uniform(4, 6, 50)).astype(np.float32)
    gain = (10 ** rng.uniform(-13, -10, 50)).astype(np.float32)
    power_w, ready_s = np.full(50, 0.1, np.float32), rng.uniform(size=50)
    args = bits, ready_s.astype(np.float32), power_w, gain, np.float32(N0)
    split = jax.jit(bandwidth.least_makespan)(*args, np.float32(1e7))
    split = jax.tree.map(np.asarray, split)
    assert split.bandwidth_hz.dtype == np.float32
    np.testing.assert_allclose(split.bandwidth_hz.sum(), 1e7, rtol=1e-4)
    finish_s = args[1] + split.latency_s
    np.testing.assert_allclose(finish_s, finish_s.max(), rtol=1e-4)
    cheap = jax.jit(bandwidth.least_energy)(
        bits, 10 + 0 * power_w, power_w, gain, np.float32(N0), np.float32(1e7)
    )
    cheap = jax.tree.map(np.asarray, cheap)
    assert cheap.power_w.dtype == np.float32 and np.all(cheap.feasible)
    np.testing.assert_allclose(cheap.bandwidth_hz.sum(), 1e7, rtol=1e-4)
