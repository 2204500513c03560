"""Levels of least variance: the laws of many levels, and the conditions of optimality."""

from functools import partial

import jax
import numpy as np
import pytest

from flq_jax.quantizers import alq
from flq_jax.quantizers.least_variance import fitted, least_variance

# For p = 2 phi: (int p^(1/3))^3 / (6 s^2) = 3 sqrt(3) 2 pi / 4 / (6 s^2); E r^2 = 1.
NORMAL = 3**0.5 * np.pi / 4
BITS = range(3, 9)
design = jax.jit(least_variance, static_argnums=(2, 3))


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal(30_000, np.float32)


@partial(jax.jit, static_argnums=(0, 1))
def relative_error(bits, norm, x):
    key, quantizer = jax.random.key(0), alq(bits, norm)
    x_hat = quantizer.decode(key, quantizer.encode(jax.random.clone(key), x))
    return ((x - x_hat) ** 2).sum() / (x**2).sum()


@pytest.mark.parametrize("bits", BITS)
def test_normal_errors_are_near_the_least_at_every_width(bits, x):
    s = 2 ** (bits - 1) - 1
    assert relative_error(bits, "max", x) <= 1.25 * NORMAL / s**2
    # One of the s gaps reaches from the largest entries to ||x||.
    assert relative_error(bits, "l2", x) <= 1.25 * NORMAL / (s - 1) ** 2


def variance(levels, r):
    """The mean of (l_(j+1) - r)(r - l_j)."""
    levels, r = np.asarray(levels, np.float64), np.asarray(r, np.float64)
    j = np.clip(np.searchsorted(levels, r, side="right") - 1, 0, len(levels) - 2)
    return np.mean((levels[j + 1] - r) * (r - levels[j]))


def least(r, top):
    """The least variance of all levels, by dynamic programming over sorted r.

    Between samples the variance is linear in each level, so that samples are the places.
    """
    r = np.concatenate([[0.0], np.sort(np.asarray(r, np.float64)), [1.0]])
    one, two = np.cumsum(r), np.cumsum(r**2)
    n, a, b = np.arange(r.size), r[:, None], r[None]
    count, first, second = (m[None] - m[:, None] for m in (n, one, two))
    cost = np.where(a <= b, (a + b) * first - second - a * b * count, np.inf)
    cost = np.where(n[:, None] <= n[None], cost, np.inf)
    best = cost[0]
    for _ in range(top - 1):
        best = np.min(best[:, None] + cost, axis=0)
    return best[-1] / (r.size - 2)


@pytest.mark.parametrize("norm", [4.0, 30.0], ids=["max", "l2"])
@pytest.mark.parametrize("law", ["normal", "laplace", "shifted"])
def test_few_levels_are_near_the_best_of_all(law, norm):
    draw = np.random.default_rng(1)
    draws = {
        "normal": np.abs(draw.standard_normal(900)),
        "laplace": np.abs(draw.laplace(size=900)) / 2,
        "shifted": 2 + 0.3 * draw.standard_normal(900),
    }
    r = np.minimum(draws[law] / norm, 1.0).astype(np.float32)
    for top in (2, 3, 7):
        levels = design(r.mean(), r.std(), top, 10)
        most = 1.7 if law == "laplace" else 1.2
        assert variance(levels, r) <= most * least(r, top)


@pytest.mark.parametrize("a", [-3.0, 0.0, 1.0, 6.0])
def test_the_fit_has_the_mean_and_deviation_that_it_is_given(a):
    r, step = np.linspace(0, a + 12, 200_001, retstep=True)
    density = np.exp(-0.5 * (r - a) ** 2)
    density /= density.sum() * step
    mean = np.sum(r * density) * step
    deviation = np.sqrt(np.sum((r - mean) ** 2 * density) * step)
    fit = jax.jit(fitted)(np.float32(0.01 * mean), np.float32(0.01 * deviation))
    np.testing.assert_allclose(fit, [0.01 * a, 0.01], rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("mean, deviation", [(0, 0), (1, 0), (0.02, 0.0), (1e-3, 0.1)])
@pytest.mark.parametrize("top", [1, 2, 127])
def test_levels_ascend_from_0_to_1_whatever_is_fitted(mean, deviation, top):
    levels = np.asarray(design(np.float32(mean), np.float32(deviation), top, 10))
    assert levels.shape == (top + 1,) and levels[0] == 0.0 and levels[-1] == 1.0
    assert np.isfinite(levels).all() and np.all(np.diff(levels) >= 0)
