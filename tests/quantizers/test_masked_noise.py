"""Masks over noise that both ends draw."""

import jax
import numpy as np
import pytest

from flq_jax.quantizers import masked_noise

DRAWS = 40_000


@pytest.mark.parametrize("x", [-1.0, 0.4, 1.5])
def test_means_over_noise_and_masks_are_as_derived(x, key):
    """Each estimate is within 2, so that four standard errors are 0.04."""
    xs = np.full(DRAWS, x, np.float32)
    for signed in (True, False):
        quantizer = masked_noise(2.0, signed=signed)
        x_hat = quantizer.decode(key, quantizer.encode(jax.random.clone(key), xs))
        mean = x * (1 - abs(x) / 4) / (1 if signed else 2)
        assert abs(float(np.mean(x_hat)) - mean) < 0.04
        key = jax.random.clone(key)


def test_given_the_noise_a_small_x_comes_through_on_average(key):
    """One noise of size 1.4 or so under many masks: 400 of them, four errors of n / 20."""
    quantizer, x = masked_noise(2.0), np.float32([0.3, -0.2])
    noise = np.abs(
        np.asarray(quantizer.decode(key, quantizer.encode(jax.random.clone(key), x)))
    )
    x_hat = quantizer.decode(
        jax.random.clone(key), quantizer.encode(jax.random.clone(key), x)
    )
    np.testing.assert_array_equal(np.abs(x_hat), noise)


def test_unsigned_masks_send_nothing_where_the_noise_has_the_other_sign(key):
    x = np.full(1000, 1e3, np.float32)
    quantizer = masked_noise(2.0, signed=False)
    x_hat = np.asarray(
        quantizer.decode(key, quantizer.encode(jax.random.clone(key), x))
    )
    assert (x_hat >= 0).all() and 400 < np.count_nonzero(x_hat) < 600


def test_a_scale_out_of_range_is_refused():
    with pytest.raises(ValueError, match="scale=-1.0"):
        masked_noise(-1.0)
