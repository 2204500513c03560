"""FEDL against its published optima, a scipy solution, its KKT conditions and cvxpy."""

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.special

from flq_jax.wireless import fedl

# The five clients of Tran et al. (2019, Sec. VI): c_n D_n cycles, f_max, N0 / h_n.
BITS = [42285183.15469645, 55696563.57284338, 44570296.30513169]
BITS += [54280258.95238087, 56162908.648379594]
CYCLES = np.array([28, 24, 15, 17, 10]) * np.array(BITS)
F_MAX = np.array([1.1568724744, 1.4907141986, 1.6696644359, 1.0097465105])
F_MAX = np.append(F_MAX, 1.7106202943) * 1e9
SNR_PER_W = 1 / np.array(
    [5.5545257061, 1.7677095289, 0.952768614, 0.3752575312, 0.1460953347]
)
# kappa: T_cmp, E_cmp, T_com, E_com, theta, objective, from the data that the authors
# published with their simulator (FEDL-INFOCOM, figs/Heterogeneous).
PUBLISHED = {
    5e-5: [4.45572509, 0.0420628553, 1.15868869, 0.231737738, 0.115770041, 0.365255477],
    8e-3: [
        3.94661709,
        0.0453668736,
        0.926029452,
        0.232979056,
        0.169515483,
        0.453880724,
    ],
    0.1: [2.17333502, 0.113721413, 0.366634618, 0.250580241, 0.339075744, 0.976345025],
    1.0: [1.02343616, 0.506949861, 0.274119436, 0.271698985, 0.476801387, 3.2096929],
    10.0: [1.02343616, 0.506949861, 0.273002611, 0.273002611, 0.514226189, 20.8883012],
    1e3: [1.02343616, 0.506949861, 0.273002611, 0.273002611, 0.521280751, 1964.28338],
}


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def optimum(price_w, cycles, num_bits, f_min, f_max, snr_per_w, p_min, p_max):
    return fedl.joint_optimum(
        cycles,
        num_bits,
        price_w,
        capacitance=1e-28,
        frequency_min_hz=f_min,
        frequency_max_hz=f_max,
        snr_per_w=snr_per_w,
        bandwidth_hz=1e6,
        power_min_w=p_min,
        power_max_w=p_max,
    )


one_optimum = jax.jit(optimum)


def solve(*args):
    """The optimum of one instance, as numpy arrays."""
    return jax.tree.map(np.asarray, one_optimum(*args))


def published_optimum(price_w, dtype=np.float64):
    num_bits, f_min = np.full(5, 25e3 / np.log(2)), np.full(5, 0.3e9)
    powers_w = np.full(5, 0.2), np.full(5, 1.0)
    args = (price_w, CYCLES, num_bits, f_min, F_MAX, SNR_PER_W, *powers_w)
    return solve(*(np.asarray(a, dtype) for a in args))


def figures(o):
    return [
        float(o.computing.latency_s),
        float(np.sum(o.computing.energy_j)),
        float(np.sum(o.slots.slot_s)),
        float(np.sum(o.slots.energy_j)),
        float(o.theta),
        float(o.bill_j),
    ]


@pytest.mark.parametrize("price_w", PUBLISHED)
def test_published_optima(price_w):
    ours = figures(published_optimum(price_w))
    np.testing.assert_allclose(ours, PUBLISHED[price_w], rtol=1e-8)


@pytest.mark.parametrize("price_w", np.geomspace(5e-5, 1e3, 62))
def test_agrees_with_a_scipy_solution(price_w):
    """Roots by brentq, Lambert's W by scipy: nothing of ours."""

    def marginal(seconds):
        busy = CYCLES / seconds > 0.3e9
        return np.sum(2e-28 * CYCLES[busy] ** 3) / seconds**3 - price_w

    low, high = np.max(CYCLES / F_MAX), np.max(CYCLES / 0.3e9)
    t_cmp = low if marginal(low) <= 0 else scipy.optimize.brentq(marginal, low, high)
    e_cmp = np.sum(1e-28 * CYCLES * np.clip(CYCLES / t_cmp, 0.3e9, F_MAX) ** 2)
    v = 1 + scipy.special.lambertw((price_w * SNR_PER_W - 1) / np.e).real
    v = np.clip(v, np.log(1 + 0.2 * SNR_PER_W), np.log(1 + SNR_PER_W))
    slots = 25e3 / (1e6 * v)
    e_com = np.sum(slots * (np.exp(v) - 1) / SNR_PER_W)
    compute, upload = e_cmp + price_w * t_cmp, e_com + price_w * np.sum(slots)
    eta = compute / (compute + upload)
    theta = scipy.optimize.brentq(
        lambda t: np.log(t) + 1 / t - 1 / eta, 1e-9, 1 - 1e-9, xtol=1e-15
    )
    bill = (upload - np.log(theta) * compute) / (1 - theta)
    expected = [t_cmp, e_cmp, np.sum(slots), e_com, theta, bill]
    ours = published_optimum(price_w)
    np.testing.assert_allclose(figures(ours), expected, rtol=1e-9)
    single = published_optimum(price_w, np.float32)
    np.testing.assert_allclose(figures(single), expected, rtol=2e-5)


def random_instances(num=1000, m=5):
    """Clients as in Tran et al. (2019, Sec. VI), kappa from 5e-5 to 1e3 watts."""
    rng = np.random.default_rng(0)
    price_w = np.geomspace(5e-5, 1e3, num)
    cycles = rng.uniform(10, 30, (num, m)) * rng.uniform(4e7, 8e7, (num, m))
    num_bits = rng.uniform(1e4, 1e5, (num, m))
    f_min, f_max = np.full((num, m), 0.3e9), rng.uniform(1e9, 2e9, (num, m))
    fading = rng.uniform(0.2, 3.0, (num, m))
    snr_per_w = 1e6 * rng.uniform(2, 50, (num, m)) ** -4 * fading
    p_min, p_max = np.full((num, m), 0.2), rng.uniform(0.5, 1.0, (num, m))
    return price_w, cycles, num_bits, f_min, f_max, snr_per_w, p_min, p_max


@pytest.fixture(scope="module")
def solved():
    instances = random_instances()
    with jax.enable_x64(True):
        return instances, jax.tree.map(
            np.asarray, jax.jit(jax.vmap(optimum))(*instances)
        )


def test_computing_meets_its_kkt_conditions(solved):
    """Prices lambda_n >= 0 on C_n / f_n <= T that add up to kappa.

    Stationarity asks for lambda_n = 2 k f_n^3 inside the range of f_n, no more at
    f_min, no less at f_max, and slack means lambda_n = 0.
    """
    (price_w, cycles, _, f_min, f_max, *_), o = solved
    f, seconds = o.computing.frequency_hz, o.computing.latency_s[:, None]
    assert np.all((f_min <= f) & (f <= f_max))
    assert np.all(cycles / f <= seconds * (1 + 1e-12))
    tight = cycles / f >= seconds * (1 - 1e-12)
    worth = 2e-28 * f**3
    at_min, at_max = f <= f_min * (1 + 1e-12), f >= f_max * (1 - 1e-12)
    least = np.where(tight & ~at_min, worth, 0.0).sum(axis=1)
    most = np.where(tight, np.where(at_max, np.inf, worth), 0.0).sum(axis=1)
    assert np.all(least <= price_w * (1 + 1e-8))
    assert np.all(most >= price_w * (1 - 1e-8))
    assert np.any(least == most) and np.any(least < most)  # inside, and at an end
    assert np.all(o.feasible)


def test_slots_meet_their_kkt_conditions(solved):
    (price_w, _, num_bits, _, _, snr_per_w, p_min, p_max), o = solved
    p = o.slots.power_w.astype(np.longdouble)
    v = np.log1p(p * snr_per_w)
    np.testing.assert_allclose(o.slots.slot_s, num_bits * np.log(2) / (1e6 * v), 1e-12)
    np.testing.assert_allclose(o.slots.energy_j, o.slots.slot_s * p, 1e-12)
    # What one more second saves, minus its price, over their size.
    saved = (v * np.exp(v) - np.expm1(v)) / snr_per_w
    residual = (saved - price_w[:, None]) / (saved + price_w[:, None])
    at_min, at_max = p <= p_min * (1 + 1e-12), p >= p_max * (1 - 1e-12)
    assert np.all(np.where(at_min, residual, 0) >= -1e-8)
    assert np.all(np.where(at_max, residual, 0) <= 1e-8)
    inside = ~at_min & ~at_max
    assert np.all(np.abs(residual[inside]) < 1e-8)
    assert min(at_min.sum(), at_max.sum(), inside.sum()) > 100


def test_local_accuracy_solves_its_equation(solved):
    (price_w, *_), o = solved
    compute = o.computing.energy_j.sum(axis=1) + price_w * o.computing.latency_s
    upload = o.slots.energy_j.sum(axis=1) + price_w * o.slots.slot_s.sum(axis=1)
    eta = compute / (compute + upload)
    residual = np.log(o.theta) + 1 / o.theta - 1 / eta
    assert np.all(np.abs(residual) * eta < 1e-8)

    def bill(theta):
        return (upload - np.log(theta) * compute) / (1 - theta)

    np.testing.assert_allclose(o.bill_j, bill(o.theta), rtol=1e-12)
    grid = np.linspace(1e-3, 1 - 1e-3, 999)
    assert np.all(o.bill_j <= np.min([bill(t) for t in grid], axis=0) * (1 + 1e-12))


local_accuracy = jax.jit(fedl.local_accuracy)


@pytest.mark.parametrize("ratio", [1e-12, 1e-6, 1.0, 1e6, 1e30])
def test_local_accuracy_at_extreme_bills(ratio):
    theta = np.asarray(local_accuracy(1.0, ratio))
    u = -np.log(np.longdouble(theta))
    assert 0 < theta < 1
    # e^u - 1 - u = ratio; for small u it is u^2 / 2 + u^3 / 6.
    left = np.expm1(u) - u if u > 1e-3 else u * u / 2 + u**3 / 6
    np.testing.assert_allclose(float(left), ratio, rtol=1e-4 if ratio < 1e-3 else 1e-12)


def test_bills_agree_with_cvxpy(solved):
    """A thousand instances side by side in one program are a thousand programs.

    Times and bills are in units of ours, for the conditioning: all answers are 1.
    """
    cp = pytest.importorskip("cvxpy")
    (price_w, cycles, num_bits, f_min, f_max, snr_per_w, p_min, p_max), o = solved
    longest_s = o.computing.latency_s[:, None]
    ours = o.computing.energy_j.sum(axis=1) + price_w * longest_s[:, 0]
    t, longest = cp.Variable(cycles.shape), cp.Variable((len(cycles), 1))
    worth = 1e-28 * cycles**3 / longest_s**2 / ours[:, None]
    energy = cp.sum(cp.multiply(worth, cp.power(t, -2)), axis=1)
    bills = energy + cp.multiply(price_w * longest_s[:, 0] / ours, longest[:, 0])
    ends = cycles / f_max / longest_s, cycles / f_min / longest_s
    compute = cp.Problem(
        cp.Minimize(cp.sum(bills)), [t >= ends[0], t <= ends[1], t <= longest]
    )
    compute.solve(solver="CLARABEL")
    np.testing.assert_allclose(bills.value, 1.0, rtol=1e-5)

    slots = o.slots.slot_s
    ours = o.slots.energy_j + price_w[:, None] * slots
    nats_s = num_bits * np.log(2) / 1e6
    v = nats_s / slots
    t, grown = cp.Variable(slots.shape), cp.Variable(slots.shape)
    bills = cp.multiply(slots / (snr_per_w * ours), cp.multiply(np.exp(v), grown) - t)
    bills += cp.multiply(price_w[:, None] * slots / ours, t)
    ends = nats_s / np.log1p(snr_per_w * p_max), nats_s / np.log1p(snr_per_w * p_min)
    # t exp(v / t) = e^v grown, with grown about 1
    exponential = cp.constraints.ExpCone(v - cp.multiply(v, t), t, grown)
    upload = cp.Problem(
        cp.Minimize(cp.sum(bills)),
        [exponential, t >= ends[0] / slots, t <= ends[1] / slots],
    )
    upload.solve(solver="CLARABEL")
    np.testing.assert_allclose(bills.value, 1.0, rtol=1e-5)


def test_who_takes_no_part_costs_nothing():
    args = list(random_instances(num=1))
    price_w, cycles, num_bits, *rest = (a[0] for a in args)
    out = np.array([False, False, True, False, True])
    smaller = solve(price_w, *(a[~out] for a in (cycles, num_bits, *rest)))
    larger = solve(price_w, np.where(out, 0, cycles), np.where(out, 0, num_bits), *rest)
    np.testing.assert_allclose(figures(larger), figures(smaller), rtol=1e-12)
    assert np.all(larger.feasible)
    np.testing.assert_array_equal(larger.slots.power_w[out], 0.0)


@pytest.mark.parametrize(
    "idle, theta", [("nobody computes", 0.0), ("nobody sends", 1.0), ("neither", 1.0)]
)
def test_what_nobody_does_costs_nothing(idle, theta):
    """With theta -> 0 the rounds are one, with theta -> 1 log(1/theta)/(1-theta) is."""
    price_w, cycles, num_bits, *rest = (a[0] for a in random_instances(num=1))
    cycles = cycles * (idle == "nobody sends")
    num_bits = num_bits * (idle == "nobody computes")
    o = solve(price_w, cycles, num_bits, *rest)
    assert o.theta == theta
    bill = np.sum(o.computing.energy_j) + price_w * o.computing.latency_s
    bill += np.sum(o.slots.energy_j) + price_w * np.sum(o.slots.slot_s)
    np.testing.assert_allclose(o.bill_j, bill, rtol=1e-12)
    assert (o.bill_j > 0) == (idle != "neither")


def test_the_unreachable_are_named():
    args = [a[0] for a in random_instances(num=1)]
    args[5] = args[5] * np.array([1, 0, 1, 1, 1])  # snr_per_w
    o = solve(*args)
    np.testing.assert_array_equal(o.feasible, [True, False, True, True, True])
    assert np.isinf(o.slots.slot_s[1]) and np.isinf(o.slots.energy_j[1])
    assert np.all(np.isfinite(np.delete(o.slots.slot_s, 1)))


@pytest.mark.parametrize("why", ["unheard", "clockless", "slow"])
def test_who_cannot_take_part_changes_nobody_elses_answer(why):
    price_w, *args = (a[0] for a in random_instances(num=1))
    out = np.array([False, True, False, False, True])
    smaller = solve(price_w, *(a[~out] for a in args))
    cycles, num_bits, f_min, f_max, snr_per_w, *powers_w = args
    if why == "unheard":
        snr_per_w = np.where(out, 0.0, snr_per_w)
    else:  # no clock at all, or one whose range is empty
        f_max = np.where(out, 0.0 if why == "clockless" else 0.1e9, f_max)
        f_min = np.where(out, 0.0 if why == "clockless" else 0.3e9, f_min)
    larger = solve(price_w, cycles, num_bits, f_min, f_max, snr_per_w, *powers_w)
    np.testing.assert_array_equal(larger.feasible, ~out)
    np.testing.assert_allclose(
        [larger.computing.latency_s, larger.theta, larger.bill_j],
        [smaller.computing.latency_s, smaller.theta, smaller.bill_j],
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        larger.computing.frequency_hz[~out], smaller.computing.frequency_hz, rtol=1e-12
    )


def test_clocks_that_may_stop():
    """Three at 10^9 cycles and k = 1e-28: kappa = 3 x 2e-28 (10^9 / T)^3 at T = 10 s.

    One more has nothing to do, and no clock at all.
    """
    cycles, f_max = np.array([1e9, 1e9, 1e9, 0.0]), np.array([1e9, 2e9, 1e9, 0.0])
    price_w = 3 * 2e-28 * (1e9 / 10) ** 3
    args = price_w, cycles, np.full(4, 1e4), np.zeros(4), f_max
    o = solve(*args, np.ones(4), np.full(4, 0.2), np.ones(4)).computing
    np.testing.assert_allclose(o.latency_s, 10.0, rtol=1e-12)
    np.testing.assert_allclose(o.frequency_hz, [1e8, 1e8, 1e8, 0.0], rtol=1e-12)
    np.testing.assert_allclose(o.energy_j, [1e-3, 1e-3, 1e-3, 0.0], rtol=1e-12)
    assert np.all(o.feasible)
