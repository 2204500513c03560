"""Low rank by hand, and what is sent as it is."""

import jax
import numpy as np
import pytest

from flq_jax.quantizers import low_rank
from flq_jax.testing import Claims, check_quantizer


def roundtrip(link, x, key):
    return np.asarray(
        link.decode(key, link.encode(jax.random.clone(key), np.float32(x)))
    )


def test_it_keeps_the_contract():
    """A projection: no more is lost than there is. 4 x 6 by rank 1 are ten numbers."""
    claims = Claims(
        False, np.linalg.norm, lambda x: np.sum(x**2), lambda d: 32 * (10 + 3)
    )
    check_quantizer(low_rank(1, ((2, 2, 6), (3,))), claims, sizes=[27])


def test_a_matrix_of_that_rank_comes_through(key):
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((9, 2)) @ rng.standard_normal((2, 7))
    x_hat = roundtrip(low_rank(2, ((9, 7),), iterations=1), matrix.reshape(-1), key)
    np.testing.assert_allclose(x_hat, matrix.reshape(-1), atol=1e-5)


def test_the_larger_of_two_directions_is_kept(key):
    """diag(3, 1, 0, 0): each iteration shrinks the smaller one's share by (1 / 3)^2."""
    matrix = np.diag([3.0, 1.0, 0.0, 0.0])
    x_hat = roundtrip(low_rank(1, ((4, 4),), iterations=12), matrix.reshape(-1), key)
    np.testing.assert_allclose(x_hat.reshape(4, 4), np.diag([3.0, 0, 0, 0]), atol=1e-5)


def test_vectors_and_small_matrices_are_sent_as_they_are(key):
    """Of rank 2, 3 x 3 would be 12 numbers for 9."""
    link, x = low_rank(2, ((5,), (3, 3), ())), np.arange(15.0)
    np.testing.assert_array_equal(roundtrip(link, x, key), x)
    assert link.layout(15).num_bits == 32 * 15


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: low_rank(0, ((2, 2),)), "rank must be .*=0"),
        (lambda: low_rank(1, ((2, 2),), iterations=0), "iterations must be .*=0"),
        (lambda: low_rank(1, ((2, 2),)).layout(5), "add up to the length, got d=5"),
    ],
)
def test_what_makes_no_sense_says_why(make, match):
    with pytest.raises(ValueError, match=match):
        make()
