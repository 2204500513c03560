"""Norms and means at the ends of f32, against f64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.quantizers.ranges import l2_norm, mean_magnitude, normalised, rms, scaled

ranges = jax.jit(lambda x: (l2_norm(x), rms(x), mean_magnitude(x)))


@pytest.mark.parametrize("scale", [1e-35, 1e-20, 1.0, 1e20, 1e35])
def test_no_square_or_sum_leaves_f32(scale):
    x = np.float32(scale) * np.random.default_rng(0).standard_normal(5000, np.float32)
    exact = x.astype(np.float64)
    norm = np.linalg.norm(exact)
    wanted = norm, norm / 5000**0.5, np.abs(exact).mean()
    np.testing.assert_allclose(ranges(x), wanted, rtol=1e-5)


def test_ordinary_ranges_are_the_plain_ones_bit_for_bit():
    x = np.random.default_rng(0).standard_normal(5000, np.float32)

    @jax.jit
    def plain(x):
        square = jnp.mean(jnp.square(x))
        return jnp.linalg.norm(x), jnp.sqrt(square), jnp.mean(jnp.abs(x))

    np.testing.assert_array_equal(ranges(x), plain(x))


@pytest.mark.parametrize("top", [2.0**-125, 3e-38, 1.0, 3e38])
def test_scaled_is_exact_and_of_the_order_of_one(top):
    y, unit = jax.jit(scaled)(np.float32([top, -top / 2, 0.0]))
    assert 1.0 <= y[0] < 4.0
    np.testing.assert_array_equal(unit * y, np.float32([top, -top / 2, 0.0]))


def test_nothing_has_no_range_and_what_is_not_finite_stays_so():
    assert not np.any(ranges(np.zeros(3, np.float32)))
    assert np.isnan(ranges(np.float32([1, np.nan, 2]))).all()
    assert np.isposinf(ranges(np.float32([1, -np.inf, 2]))).all()
    unit, top = jax.jit(normalised)(np.float32([1e-40, 0]))
    assert not top and not np.any(unit)
