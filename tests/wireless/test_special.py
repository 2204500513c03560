import math

import jax
import numpy as np
import pytest
import scipy.special

from flq_jax.wireless import special

DTYPES = [np.float32, np.float64]
lambert_w = jax.jit(special.lambert_w)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("dtype", DTYPES)
def test_lambert_w_agrees_with_scipy(dtype):
    eps = np.finfo(dtype).eps
    x = np.concatenate(
        [np.geomspace(1e-30, 1e30, 2001), -np.geomspace(1e-30, 0.36, 500), [0.0]]
    ).astype(dtype)
    expected = scipy.special.lambertw(x.astype(np.float64)).real
    w = np.asarray(lambert_w(x))
    assert w.dtype == dtype
    # An input is known to eps; dW / W = (dx / x) / (1 + W), and W is a sum with one.
    error = np.abs(w - expected) / np.abs(np.where(expected, expected, 1.0))
    assert np.all(error <= 8 * eps * (1 + 1 / (1 + expected)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_lambert_w_near_its_branch_point(dtype):
    eps = np.finfo(dtype).eps
    v = np.geomspace(1e-9, 0.1, 2502)
    y = sum((k - 1) * v**k / math.factorial(k) for k in range(2, 12))
    w = np.asarray(lambert_w(((y - 1.0) / np.e).astype(dtype)))
    # x is known to eps, and dx = v dv there, so that W = v - 1 loses half its digits.
    assert np.all(np.abs(w - (v - 1.0)) <= 8 * np.minimum(eps / v, np.sqrt(eps)))
    assert np.isnan(lambert_w(np.full(2502, -0.4, dtype))).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_plus_lambert_w_inverts_phi(dtype):
    eps = np.finfo(dtype).eps
    y = np.geomspace(1e-30, 1e30, 4001).astype(dtype)
    found = jax.jit(special.one_plus_lambert_w)(np.append(y, [0, -0.1]).astype(dtype))
    v, ends = np.split(np.asarray(found, np.float64), [-2])
    np.testing.assert_array_equal(ends, [0.0, np.nan])
    large = y > 1e-3
    # phi has the integral form int_0^v t e^t dt, free of cancellation; its logarithmic
    # slope v^2 e^v / phi tells how far an error of v may move it.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t = 0.5 * v[:, None] * (nodes + 1.0)
    phi = (0.5 * v[:, None] * weights * t * np.exp(t)).sum(axis=1)
    assert np.all(np.abs(phi / y - 1.0) <= 20 * eps * (2.0 + v))
    expected = 1 + scipy.special.lambertw((y[large].astype(float) - 1) / np.e).real
    np.testing.assert_allclose(v[large], expected, rtol=max(20 * eps, 1e-12))


@pytest.mark.parametrize("dtype", DTYPES)
def test_inverse_exprel_inverts_exprel(dtype):
    eps = np.finfo(dtype).eps
    a = (1.0 + np.geomspace(1e-3, 1e30, 4001)).astype(dtype)
    with_ends = np.append(a, [1.0, np.inf, 0.9]).astype(dtype)
    found = np.asarray(jax.jit(special.inverse_exprel)(with_ends), np.float64)
    u, ends = np.split(found, [-3])
    back = scipy.special.exprel(u)
    # The logarithmic slope of exprel is at most 1, so log a is met to u eps.
    assert np.all(np.abs(back / a - 1.0) <= 8 * eps * (1.0 + u))
    np.testing.assert_array_equal(ends, [0.0, np.inf, np.nan])


def test_bisect_closes_in_on_the_jump():
    jump = np.asarray([0.1, 1e-8, 7.0])
    closed = jax.jit(lambda low, high: special.bisect(lambda x: x < jump, low, high))
    low, high = map(np.asarray, closed(np.zeros(3), np.full(3, 8.0)))
    assert np.all(low < jump) and np.all(jump <= high)
    np.testing.assert_allclose(high, low, rtol=1e-12)
