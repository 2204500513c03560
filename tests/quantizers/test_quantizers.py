"""Quantizers by hand: codes, identities, and what is refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import quantizers
from flq_jax.quantizers import geometric, sign, stochastic, tanh_grid, uniform
from flq_jax.quantizers.base import as_bytes


@partial(jax.jit, static_argnums=0)
def ends(quantizer, key, x):
    message = quantizer.encode(key, x)
    return message, quantizer.decode(jax.random.clone(key), message)


def roundtrip(quantizer, key, x):
    return np.asarray(ends(quantizer, key, np.asarray(x, np.float32))[1])


def test_whole_numbers_are_bytes():
    whole = np.arange(256)
    codes = jax.jit(as_bytes)(np.float32(whole))
    assert codes.dtype == jnp.uint8
    np.testing.assert_array_equal(codes, whole)


def test_laq_codes_by_hand(key):
    # R = 1, b = 2: levels -1, -1/3, 1/3, 1; half-way points round up.
    x = np.float32([-1.0, -0.5, -0.1, 0.1, 0.5, 1.0])
    message, x_hat = ends(uniform(2), key, x)
    np.testing.assert_array_equal(message.codes, [0, 1, 1, 2, 2, 3])
    levels = [-1, -1 / 3, -1 / 3, 1 / 3, 1 / 3, 1]
    np.testing.assert_allclose(x_hat, levels, rtol=1e-6)


@pytest.mark.parametrize("radius", [None, geometric(2e-38, 1.0)])
def test_a_radius_whose_steps_underflow_counts_as_zero(radius, key):
    x = np.float32([2e-38, -1e-38, 0.5e-38])
    np.testing.assert_array_equal(roundtrip(uniform(8, radius), key, x), 0.0)


def test_sign_is_a_contraction_by_the_stated_factor(key):
    x = np.random.default_rng(0).standard_normal(1000, np.float32)
    x_hat = roundtrip(sign(), key, x)
    delta = np.sum(np.abs(x)) ** 2 / (x.size * np.sum(x**2))
    np.testing.assert_allclose(
        np.sum((x - x_hat) ** 2), (1 - delta) * np.sum(x**2), rtol=1e-4
    )


def test_a_shared_scale_is_not_sent(key):
    message, x_hat = ends(sign(0.5), key, np.float32([0.0, -3.0, 1e-9]))
    assert message.side.size == 0 and message.num_bits == 3
    np.testing.assert_array_equal(x_hat, [0.5, -0.5, 0.5])


def test_sign_of_zero_is_plus(key):
    np.testing.assert_array_equal(
        roundtrip(sign(), key, [0.0, -3.0, 3.0]), [2.0, -2.0, 2.0]
    )


def test_overload_is_flagged_iff_outside_the_radius_and_saturates(key):
    quantizer = uniform(3, geometric(1.0, 0.5))
    overload = jax.jit(quantizer.overload)
    assert not overload(np.float32([1.0, -1.0, 0.0]))
    outside = np.float32([1.01, -7.0, 0.0])
    assert overload(outside)
    x_hat = roundtrip(quantizer, key, outside)
    np.testing.assert_allclose(x_hat[:2], [1.0, -1.0], rtol=1e-6)


def test_the_prescribed_radius_is_geometric(key):
    quantizer = uniform(4, geometric(3.0, 0.5))
    for k in (0, 1, 5):
        top = roundtrip(quantizer.at(k), jax.random.clone(key), [100.0])
        np.testing.assert_allclose(top, 3.0 * 0.5**k, rtol=1e-5)
    assert uniform(4).at(7) is not None


def test_tanh_grid_is_next_to_the_normalised_tanh(key):
    x = np.random.default_rng(0).standard_normal(500, np.float32)
    exact = np.tanh(x) / np.max(np.abs(np.tanh(x)))
    for bits in range(2, 9):
        message = tanh_grid(bits).encode(key, x)
        x_hat = np.asarray(tanh_grid(bits).decode(key, message))
        assert np.max(np.abs(x_hat - exact)) <= (1 + 1e-5) / (2**bits - 1)
        assert np.max(np.abs(x_hat)) == 1.0


@pytest.mark.parametrize(
    "make, one, other",
    [
        (lambda scale: uniform(3, geometric(scale, 0.9)), 1.0, 2.0),
        (lambda rate: uniform(3, geometric(1.0, rate)), 0.9, 0.9000001),
        (sign, 0.12345678, 0.12345679),
        (quantizers.terngrad, 2.5, 2.5000001),
        (quantizers.eden, 1.5, 1.5000001),
        (lambda reach: quantizers.uveqfed(reach=reach), 2.0, 2.0000001),
        (lambda norm: quantizers.thc(norm=norm), 1.0000001, 1.0000002),
        (lambda outside: quantizers.thc(outside=outside), 0.1, 0.1000001),
    ],
)
def test_the_scheme_tells_parameters_apart(make, one, other):
    names = [make(value).layout(4).scheme for value in (one, np.float64(one), other)]
    assert names[0] == names[1] != names[2]


def test_segments_have_ranges_of_their_own(key):
    x = np.float32([1.0, -1.0, 0.001, 0.0005])
    per_tensor = quantizers.segmented(uniform(8), (2, 2))
    x_hat = roundtrip(per_tensor, key, x)
    assert np.max(np.abs(x - x_hat)[2:]) <= 0.001 / 255 * (1 + 1e-5)
    assert per_tensor.layout(4).num_bits == 4 * 8 + 2 * 32
    assert not per_tensor.overload(x)


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: uniform(0), "bits must be an integer in 1..8, got bits=0"),
        (lambda: uniform(9), "bits=9"),
        (lambda: uniform(2.0), "bits=2.0"),
        (lambda: uniform(1, geometric(1.0, 0.5)), "never contracts.*bits=1"),
        (lambda: geometric(0.0, 0.5), "scale must be positive"),
        (lambda: geometric(1.0, 1.5), r"rate must be in \(0, 1\], got rate=1.5"),
        (lambda: stochastic(0), "levels=0"),
        (lambda: stochastic(128), "levels=128"),
        (lambda: stochastic(1, "l1"), "norm='l1'"),
        (lambda: tanh_grid(1), "bits=1"),
        (lambda: sign(0.0), "sign: scale must be positive and finite, got scale=0.0"),
        (lambda: quantizers.segmented(sign(), (3, 0)), r"sizes=\(3, 0\)"),
        (lambda: quantizers.segmented(sign(), (3, 2)).layout(6), "d=6"),
        (
            lambda: quantizers.segmented(uniform(3, geometric(1.0, 0.5)), (3, 2)),
            "segmented: takes no grid with a prescribed radius",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
