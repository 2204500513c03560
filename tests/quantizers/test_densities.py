"""Lloyd-Max levels of densities against the published ones and by hand."""

import numpy as np
import pytest

from flq_jax.quantizers.densities import of_source

# Max (1960, Table I) to eight digits, as numerical integration gives them; unit variance
GAUSSIAN_MSE = {1: 1 - 2 / np.pi, 2: 0.1174818, 3: 0.03454776, 4: 0.009501008}
GAUSSIAN_LEVELS = {
    1: [0.79788],
    2: [0.45278, 1.51042],
    3: [0.24509, 0.75601, 1.34391, 2.15195],
    4: [0.1284, 0.38805, 0.65676, 0.94234, 1.25623, 1.61805, 2.06902, 2.73259],
}


@pytest.mark.parametrize("bits", GAUSSIAN_MSE)
def test_the_gaussian_levels_and_their_error_are_the_published_ones(bits):
    levels = of_source("gaussian", 2**bits)
    np.testing.assert_allclose(levels[levels > 0], GAUSSIAN_LEVELS[bits], atol=1e-5)
    x, width = np.linspace(-12, 12, 400001, retstep=True)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * width
    error = np.sum(density * np.min((x[:, None] - levels) ** 2, axis=1))
    assert abs(error - GAUSSIAN_MSE[bits]) <= 1e-5 * GAUSSIAN_MSE[bits] + 1e-8


@pytest.mark.parametrize("count", [2, 3, 5, 16, 32])
def test_gaussian_levels_are_the_means_of_their_cells(count):
    levels = of_source("gaussian", count)
    samples = np.sort(np.random.default_rng(0).standard_normal(200_000))
    cells = np.searchsorted((levels[1:] + levels[:-1]) / 2, samples)
    assert np.all(np.diff(levels) > 0)
    for j in range(count):
        inside = samples[cells == j]
        spread = inside.std() / np.sqrt(len(inside))
        assert abs(inside.mean() - levels[j]) <= 5 * spread


def test_laplace_levels_solve_the_conditions_by_hand():
    # Two levels are +-E|x| = +-1/sqrt 2.
    np.testing.assert_allclose(of_source("laplace", 2), [-(0.5**0.5), 0.5**0.5])
    # Three: by memorylessness the outer level is t + 1/sqrt 2 with t half of it.
    np.testing.assert_allclose(
        of_source("laplace", 3), [-(2**0.5), 0.0, 2**0.5], atol=1e-12
    )


@pytest.mark.parametrize(
    "source, constant", [("gaussian", 2.7206990), ("laplace", 4.5)]
)
def test_many_levels_reach_panter_and_dites_law(source, constant):
    x = np.linspace(-25, 25, 400001)
    density = {
        "gaussian": np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
        "laplace": np.exp(-np.sqrt(2) * np.abs(x)) / np.sqrt(2),
    }[source]
    levels = of_source(source, 256)
    thresholds = (levels[1:] + levels[:-1]) / 2
    error = np.sum(density * (x - levels[np.searchsorted(thresholds, x)]) ** 2)
    assert 0.97 <= error * (x[1] - x[0]) * 256**2 / constant <= 1.0


@pytest.mark.parametrize(
    "source, levels, match",
    [("gaussian", 1, "of_source: levels"), ("cauchy", 4, "source='cauchy'")],
)
def test_what_cannot_be_is_refused(source, levels, match):
    with pytest.raises(ValueError, match=match):
        of_source(source, levels)
