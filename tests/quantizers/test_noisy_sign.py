"""Means of noisy signs, derived."""

import math

import jax
import numpy as np
import pytest

from flq_jax.quantizers import noisy_sign

DRAWS = 40_000


@pytest.mark.parametrize("x", [-3.0, 0.0, 0.5, 1.9])
def test_means_are_those_of_the_noise(x, key):
    """Four standard errors of eta sigma = 2.51 and of 2, over 200: 0.05."""
    xs = np.full(DRAWS, x, np.float32)
    for noise in ("uniform", "normal"):
        quantizer = noisy_sign(2.0, noise=noise)
        x_hat = quantizer.decode(key, quantizer.encode(jax.random.clone(key), xs))
        mean = max(-2.0, min(2.0, x))
        if noise == "normal":
            mean = math.sqrt(math.pi / 2) * 2.0 * math.erf(x / (2.0 * math.sqrt(2.0)))
        assert abs(float(np.mean(x_hat)) - mean) < 0.051
        key = jax.random.clone(key)


def test_beyond_the_noise_lies_overload():
    overload = jax.jit(noisy_sign(2.0).overload)
    assert overload(np.float32([1.0, -2.1])) and not overload(np.float32([1.0, -2.0]))


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: noisy_sign(0.0), "sigma=0.0"),
        (lambda: noisy_sign(1.0, noise="laplace"), "noise='laplace'"),
    ],
)
def test_arguments_out_of_range_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
