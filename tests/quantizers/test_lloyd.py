"""Lloyd-Max against the known optima, an exact search, and the conditions of optimality."""

import functools

import jax
import numpy as np
import pytest
from scipy import special

from flq_jax.quantizers import Message
from flq_jax.quantizers.codebook import codebook, levels_of, lloyd_max, nearest
from flq_jax.quantizers.densities import of_source
from flq_jax.quantizers.lloyd import design

# Max (1960, Table I) to eight digits, as numerical integration gives them; unit variance
GAUSSIAN_MSE = {1: 1 - 2 / np.pi, 2: 0.1174818, 3: 0.03454776, 4: 0.009501008}


@functools.partial(jax.jit, static_argnums=1)
def designs(x, counts):
    """By the number of levels, these and what x is rounded to."""

    def of(count):
        table = design(x, count)
        return table, table[nearest(table, x)]

    return {count: of(count) for count in counts}


def few_designs(x):
    """Of f32[1500]."""
    return designs(x, (2, 3, 4, 16))


def many_designs(x):
    """Of f32[20000]."""
    return designs(x, (2, 7, 16, 256))


weighted_design = jax.jit(design, static_argnums=1)
warm_design = jax.jit(lambda x, start: design(x, start.size, start=start))


@pytest.fixture(scope="module")
def a_million():
    """Normal samples, and their designs of each width."""
    x = np.random.default_rng(0).standard_normal(1_000_000, np.float32)
    return x, designs(x, tuple(2**bits for bits in GAUSSIAN_MSE))


@pytest.mark.parametrize("bits", GAUSSIAN_MSE)
def test_samples_come_within_a_percent_of_the_source(a_million, bits):
    x, tables = a_million
    table, _ = tables[2**bits]
    error = mean_squared_error(table, x)
    np.testing.assert_allclose(error, GAUSSIAN_MSE[bits], rtol=0.01)
    # The source's levels are not the best for these samples, and no better than ours.
    levels = of_source("gaussian", 2**bits)
    assert error <= mean_squared_error(levels, x) * (1 + 1e-4)
    np.testing.assert_array_less(
        np.abs(table - levels), 5 * standard_errors(levels, len(x)) + 0.01
    )


def mean_squared_error(table, x):
    """In f64: a relative 1e-4 is near what f32 sums to."""
    table, x = np.asarray(table, np.float64), np.asarray(x, np.float64)
    return np.mean((x - table[np.searchsorted((table[1:] + table[:-1]) / 2, x)]) ** 2)


def standard_errors(levels, n):
    """Of the optimal levels of n normal samples, by the delta method.

    The levels solve c = m(c), m_j the mean of what is rounded to c_j. With fixed
    thresholds the m_j have variances v_j / (n p_j); what they err by is amplified by
    (I - dm/dc)^-1. The derivative is taken by differences.
    """

    def means(c):
        t = np.r_[-np.inf, (c[1:] + c[:-1]) / 2, np.inf]
        density = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
        edge = np.where(np.isfinite(t), t, 0.0) * density
        mass = np.diff(special.ndtr(t))
        mean = -np.diff(density) / mass
        return mean, mass, 1 - np.diff(edge) / mass - mean**2

    _, mass, variance = means(levels)
    steps = 1e-6 * np.eye(len(levels))
    slope = [(means(levels + h)[0] - means(levels - h)[0]) / 2e-6 for h in steps]
    gain = np.linalg.inv(np.eye(len(levels)) - np.transpose(slope))
    return np.sqrt(gain**2 @ (variance / (n * mass)))


def optimum(x, levels):
    """The least squared error of all codebooks, by dynamic programming over sorted x."""
    x = np.sort(np.asarray(x, np.float64))
    n = len(x)
    one, two = np.r_[0, np.cumsum(x)], np.r_[0, np.cumsum(x**2)]
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    cost = two[j] - two[i] - (one[j] - one[i]) ** 2 / np.maximum(j - i, 1)
    cost = np.where(j >= i, cost, np.inf)
    best = cost[0]
    for _ in range(levels - 1):
        best = np.min(best[:, None] + cost, axis=0)
    return best[n] / n


SAMPLES = {
    "normal": lambda rng: rng.standard_normal(1500),
    "laplace": lambda rng: rng.laplace(size=1500),
    "student": lambda rng: rng.standard_t(4, size=1500),
    "shifted": lambda rng: 5 + rng.standard_normal(1500),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("levels", [3, 4, 16])
def test_the_error_is_near_the_optimum(name, levels):
    x = np.float32(SAMPLES[name](np.random.default_rng(0)))
    _, q = few_designs(x)[levels]
    error = np.mean((x - np.asarray(q)) ** 2)
    assert error <= (1.02 if levels < 16 else 1.25) * optimum(x, levels)


TAILS = {  # law: the median at most, with 100 samples a level and with 25
    "normal": (lambda rng, n: rng.standard_normal(n), 1.05, 1.15),
    "laplace": (lambda rng, n: rng.laplace(size=n), 1.05, 1.15),
    "student4": (lambda rng, n: rng.standard_t(4, size=n), 1.25, 1.35),
    "student3": (lambda rng, n: rng.standard_t(3, size=n), 1.25, 1.35),
    "cube": (lambda rng, n: rng.standard_normal(n) ** 3, 1.25, 1.35),
    "lognormal": (lambda rng, n: rng.lognormal(0, 1, n), 1.25, 1.35),
    "cauchy": (lambda rng, n: rng.standard_cauchy(n), 3.0, 3.0),
    "pareto": (lambda rng, n: rng.pareto(1, n), 3.0, 3.0),
    "lognormal2": (lambda rng, n: rng.lognormal(0, 2, n), 3.0, 3.0),
}


@functools.partial(jax.jit, static_argnums=1)
def rounded(x, count):
    table = design(x, count)
    return table[nearest(table, x)]


@pytest.mark.parametrize("name", TAILS)
def test_the_heavier_the_tails_the_farther_from_the_optimum(name):
    draw, *most = TAILS[name]
    for samples, bound in zip((100, 25), most):
        excess = []
        for seed in range(7):
            x = np.float32(draw(np.random.default_rng(seed), 8 * samples))
            error = np.mean((np.float64(x) - rounded(x, 8)) ** 2)
            excess.append(error / optimum(x, 8))
        assert np.median(excess) <= bound


@pytest.mark.parametrize("levels", [2, 7, 16, 256])
def test_the_conditions_of_optimality_hold(levels, key):
    """As nearly as the histogram's bins allow: E[Q(X - Q)], twice in the last one."""
    samples = jax.random.laplace(key, (20_000,))
    x, q = map(np.float64, (samples, many_designs(samples)[levels][1]))
    error = np.mean((x - q) ** 2)
    np.testing.assert_allclose(np.mean(q), np.mean(x), atol=2e-3)
    np.testing.assert_allclose(np.mean(q * (x - q)), 0.0, atol=5e-4)
    np.testing.assert_allclose(
        error, np.mean(x * x) - np.mean(q * q), rtol=0.05, atol=2e-4
    )


def test_masked_and_weighted_samples_count_as_they_should():
    x = np.random.default_rng(0).standard_normal(1500, np.float32)
    half, far = x[:750], np.full(750, 1e6, np.float32)
    there = np.repeat(np.float32([1, 0]), 750)
    masked = weighted_design(np.append(half, far), 4, there)
    # Each sample twice weighs no more than each of them once.
    twice, _ = few_designs(np.append(half, half))[4]
    np.testing.assert_allclose(masked, twice, rtol=1e-4)
    weights = np.repeat(np.float32([2, 1, 0]), 500)
    doubled = weighted_design(np.append(x[:1000], far[:500]), 4, weights)
    repeated, _ = few_designs(np.append(x[:1000], x[:500]))[4]
    np.testing.assert_allclose(doubled, repeated, rtol=1e-3)


def test_a_million_equal_values_are_added_up_without_drifting():
    """f32 adds 900,000 times 0.1, one after another, to 90,802."""
    x = np.repeat(np.float32([0.1, 0.2, 1.0]), [900_000, 75_000, 25_000])
    table, _ = designs(x, (2,))[2]
    np.testing.assert_allclose(table, [(90_000 + 15_000) / 975_000, 1.0], rtol=1e-4)


def test_counts_beyond_2_24_are_exact_for_the_rare_as_for_the_many():
    """21 of a million, 65 samples each: among 6.5e7 f32 counts by fours.

    They lie between the many, for at the ends no level is beyond the samples anyway.
    """
    x = np.repeat(np.float32([0.1, 0.2, 1.0]), [899_979, 21, 100_000])
    start = np.float32([0.12, 0.25, 0.9])
    table = weighted_design(x, 3, np.full(len(x), 65, np.float32), start)
    np.testing.assert_allclose(table, [0.1, 0.2, 1.0], rtol=1e-4)


def test_a_warm_start_is_as_good_as_a_cold_one():
    x = np.random.default_rng(0).standard_normal(20_000, np.float32)
    near, _ = many_designs(np.float32(1.1) * x + np.float32(0.1))[16]
    tables = warm_design(x, near), many_designs(x)[16][0]
    np.testing.assert_allclose(*(mean_squared_error(t, x) for t in tables), rtol=0.05)


def test_a_start_that_is_ten_times_too_wide_leaves_no_level_unused():
    """Two of its four levels are beyond all samples; without them the error is 2.7 times."""
    x = np.random.default_rng(0).standard_normal(20_000, np.float32)
    wide = np.float32(10 * of_source("gaussian", 4))
    assert mean_squared_error(warm_design(x, wide), x) <= 1.02 * GAUSSIAN_MSE[2]


def test_zeros_are_no_start():
    x = np.float32(np.random.default_rng(0).laplace(size=20_000))
    tables = warm_design(x, np.zeros(16, np.float32)), many_designs(x)[16][0]
    np.testing.assert_allclose(*(mean_squared_error(t, x) for t in tables), rtol=0.01)


def test_the_levels_of_a_message_are_in_units_of_its_mean_magnitude():
    told = jax.jit(levels_of)
    message = Message(np.uint8([0, 0, 1, 2]), np.float32([-4, 2, 6]), 104)
    # The values are -4, -4, 2, 6, of mean magnitude 4.
    np.testing.assert_allclose(told(message), [-1.0, 0.5, 1.5])
    zeros = Message(message.codes, np.zeros(3, np.float32), 104)
    np.testing.assert_array_equal(told(zeros), 0.0)


@pytest.mark.parametrize("levels", [2, 16])
@pytest.mark.parametrize("values", [[0.7], [-3.0, 1.0], [0.0, 0.0, 1e-3], [-2, 0, 5]])
def test_few_distinct_values_are_exact(values, levels):
    x = np.resize(np.float32(values), 1500)
    if levels < len(set(values)):
        return
    _, q = few_designs(x)[levels]
    np.testing.assert_allclose(q, x, rtol=1e-4, atol=1e-7)


def test_nearest_is_nearest_for_any_number_of_levels():
    x = np.random.default_rng(0).standard_normal(500, np.float32)
    tables = [np.float32(of_source("gaussian", k)) for k in (2, 64, 65, 256)]
    codes = jax.jit(lambda tables, x: [nearest(table, x) for table in tables])
    for table, code in zip(tables, codes(tables, x)):
        distance = np.abs(x[:, None] - table[None])
        np.testing.assert_allclose(np.abs(x - table[code]), distance.min(1), atol=1e-6)


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: lloyd_max(1), "lloyd_max: levels must be an integer in 2..256, got"),
        (lambda: lloyd_max(257), "levels=257"),
        (lambda: lloyd_max(4, "cauchy"), "source='cauchy'"),
        (lambda: lloyd_max(4, "laplace", np.ones(4)), "designed once, without a start"),
        (lambda: codebook((1.0,)), r"2 to 256, got shape \(1,\)"),
        (lambda: codebook((1.0, 1.0)), "finite and ascend"),
        (lambda: codebook((0.0, float("inf"))), "finite and ascend"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("value", [0.0, -0.0, 0.7, -1e-30, 3e30])
def test_one_value_is_sent_exactly_by_any_number_of_levels(value):
    """No level lies beyond the samples, whatever sums and exponentials round to."""
    x = np.full(20_000, value, np.float32)
    for table, q in many_designs(x).values():
        np.testing.assert_array_equal(table, np.float32(value))
        np.testing.assert_array_equal(q, x)
