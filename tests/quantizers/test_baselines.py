"""The baselines by hand: what their papers say of them, and what is refused."""

from functools import partial

import jax
import numpy as np
import pytest

from flq_jax.quantizers import (
    alq,
    bucketed,
    draws,
    drive,
    fixed_point,
    geometric,
    in_parts,
    natural,
    nuqsgd,
    one_of,
    rand_k,
    sign,
    stochastic,
    terngrad,
    top_k,
    two_means,
    uniform,
    uveqfed,
)

LARGEST = np.float32(1 - 2**-23)  # of the numbers that are drawn from [0, 1)


@partial(jax.jit, static_argnums=0)
def _roundtrip(quantizer, key, x):
    return quantizer.decode(jax.random.clone(key), quantizer.encode(key, x))


def roundtrip(quantizer, key, x):
    return np.asarray(_roundtrip(quantizer, key, np.asarray(x, np.float32)))


@partial(jax.jit, static_argnums=0)
def _draws(quantizer, key, x):
    keys = jax.random.split(key, 500)
    return jax.vmap(partial(_roundtrip, quantizer), in_axes=(0, None))(keys, x)


def variance(quantizer, key, x):
    return np.mean(np.sum(np.square(np.asarray(_draws(quantizer, key, x)) - x), axis=1))


def test_natural_compression_keeps_powers_of_two_and_rounds_to_neighbours(key):
    x = [1.0, -0.25, 0.0, 3.0, -5.0]
    x_hat = roundtrip(natural(), key, x)
    np.testing.assert_array_equal(x_hat[:3], x[:3])
    assert x_hat[3] in (2.0, 4.0) and x_hat[4] in (-4.0, -8.0)


def test_natural_compressions_variance_by_hand(key):
    # 1.5 becomes 1 or 2, each half the time: variance 1/4.
    x = np.full(400, 1.5, np.float32)
    np.testing.assert_allclose(variance(natural(), key, x), 100.0, rtol=1e-6)


def test_two_means_by_hand(key):
    x = [-1.0, -3.0, 0.0, 6.0]
    np.testing.assert_allclose(roundtrip(two_means(), key, x), [-2, -2, 3, 3])


def test_nuqsgd_rounds_between_powers_of_two(key):
    x_hat = roundtrip(nuqsgd(3, "max"), key, [1.0, -0.5, 0.25, 0.7, 0.1])
    np.testing.assert_array_equal(x_hat[:3], [1.0, -0.5, 0.25])
    assert x_hat[3] in (0.5, 1.0) and x_hat[4] in (0.0, 0.25)


def test_alq_has_less_variance_than_even_levels(key):
    x = np.random.default_rng(0).standard_normal(512, np.float32)
    assert variance(alq(4), key, x) < 0.5 * variance(
        stochastic(7), jax.random.clone(key), x
    )


def test_terngrad_clips_at_the_stated_deviation(key):
    x = [100.0] + [0.0] * 99  # rms(x) = 10
    assert roundtrip(terngrad(2.5), key, x)[0] == 25.0


def test_top_k_keeps_the_largest(key):
    x = [1.0, -4.0, 0.5, 3.0]
    np.testing.assert_array_equal(roundtrip(top_k(2, 4), key, x), [0.0, -4.0, 0.0, 3.0])


@pytest.mark.parametrize("make", [top_k, rand_k])
@pytest.mark.parametrize("share, k", [(0.5, 4), (1.0, 8), (1e-9, 1), (0.31, 2)])
def test_a_share_is_a_number_of_coordinates(make, share, k):
    assert make(share, 8).layout(8) == make(k, 8).layout(8)


@pytest.mark.parametrize("share", [0.0, 1.5, -0.5, float("nan"), float("inf"), True])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="or a share in"):
        top_k(share, 8)


def test_rand_k_magnifies_what_it_sends(key):
    x_hat = roundtrip(rand_k(2, 8), key, np.ones(8))
    np.testing.assert_array_equal(np.sort(x_hat), [0.0] * 6 + [4.0] * 2)


def test_fixed_point_saturates_and_says_so(key):
    quantizer = fixed_point(3, 1)
    np.testing.assert_array_equal(
        roundtrip(quantizer, key, [9.0, -9.0, 0.5]), [1.5, -2.0, 0.5]
    )
    overload = jax.jit(quantizer.overload)
    assert overload(np.float32([1.6])) and not overload(np.ones(1, np.float32))


@pytest.mark.parametrize("quantizer", [stochastic(127, "max"), fixed_point(8, 0)])
def test_grid_points_stay_whatever_is_drawn(quantizer, key, monkeypatch):
    monkeypatch.setattr(draws, "uniform", lambda key, shape: np.full(shape, LARGEST))
    x = np.arange(-127, 128, dtype=np.float32)
    x_hat = quantizer.decode(key, quantizer.encode(jax.random.clone(key), x))
    np.testing.assert_allclose(x_hat, x, rtol=1e-6)


def test_buckets_have_ranges_of_their_own(key):
    x = np.float32([1.0, -1.0, 0.001, 0.0005, 7.0])
    x_hat = roundtrip(bucketed(uniform(8), 2), key, x)
    assert np.max(np.abs(x - x_hat)[2:4]) <= 0.001 / 255 * (1 + 1e-4)
    np.testing.assert_allclose(x_hat[4], 7.0, rtol=1e-6)


def test_what_is_left_over_is_a_bucket_of_its_own_length(key):
    ones = np.ones(5)
    np.testing.assert_array_equal(roundtrip(bucketed(sign(), 4), key, ones), ones)
    # Hexagons need pairs; one coordinate left over is rounded to a seventh of its range.
    x_hat = roundtrip(bucketed(uveqfed("hexagonal", 4), 2), jax.random.clone(key), ones)
    assert abs(x_hat[4] - 1.0) <= 0.5 / 7 * (1 + 1e-5)
    # DRIVE's codes are about all of a bucket, and the last three about that one.
    quantizer, x = bucketed(drive(), 4), np.float32([1, -2, 0, 5, 0.1, -0.3, 0.2])
    x_hat = roundtrip(quantizer, jax.random.clone(key), x)
    for bucket in (slice(4), slice(4, 7)):
        along = np.vdot(x_hat[bucket], x[bucket])
        np.testing.assert_allclose(along, np.vdot(x[bucket], x[bucket]), rtol=1e-5)
    assert quantizer.layout(7).num_bits == 2 * (4 + 32)


def test_parts_are_buckets_of_the_share_of_any_length(key):
    """Thirds of seven are 3, 3 and 1; of four, 2 and 2."""
    x = np.float32([1.0, -2.0, 3.0, 10.0, 10.0, -10.0, 0.5])
    found = roundtrip(in_parts(sign(), 3), key, x)
    np.testing.assert_allclose(found, [2, -2, 2, 10, 10, -10, 0.5], rtol=1e-6)
    found = roundtrip(in_parts(sign(), 3), jax.random.clone(key), x[:4])
    np.testing.assert_allclose(found, [1.5, -1.5, 6.5, 6.5], rtol=1e-6)


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: nuqsgd(1), "nuqsgd: bits must be an integer in 2..8, got bits=1"),
        (lambda: nuqsgd(3, "l1"), "nuqsgd: norm must be one of l2, max, got norm='l1'"),
        (lambda: alq(9), "bits=9"),
        (lambda: alq(3, "l3"), "norm='l3'"),
        (lambda: alq(3, sweeps=0), "sweeps=0"),
        (lambda: terngrad(0.0), "terngrad: clip must be positive, got clip=0.0"),
        (
            lambda: top_k(0, 4),
            "top_k: k must be an integer in 1..d, or a share in .*, got k=0 d=4",
        ),
        (lambda: rand_k(5, 4), "rand_k: .* got k=5 d=4"),
        (lambda: top_k(2, 4).layout(5), "was made for d=4, got a length of 5"),
        (lambda: fixed_point(1, 0), "bits=1"),
        (lambda: fixed_point(8, 101), "-100..100, got fraction=101"),
        (lambda: fixed_point(8, 0.5), "fraction=0.5"),
        (lambda: bucketed(uniform(3), 0), "bucketed: size must be .* size=0"),
        (lambda: bucketed(top_k(2, 4), 4), "one code a coordinate"),
        (lambda: in_parts(sign(), 0), "in_parts: parts must be .* parts=0"),
        (
            lambda: in_parts(one_of((sign(), uniform(3))), 4),
            "in_parts: takes no choice",
        ),
        (
            lambda: bucketed(one_of((sign(), uniform(3))), 4),
            "bucketed: takes no choice",
        ),
        (
            lambda: bucketed(uniform(3, geometric(1.0, 0.5)), 4),
            "bucketed: takes no grid with a prescribed radius",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
