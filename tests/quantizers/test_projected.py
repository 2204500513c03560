"""A vector by a few scalars."""

import jax
import numpy as np
import pytest

from flq_jax.compressors import direct
from flq_jax.quantizers import projected


def test_the_estimate_lies_in_the_span_of_the_drawn_vectors(key):
    """One scalar s: x_hat = s z, so that <x, x_hat> = s^2, whatever z is."""
    x = np.random.default_rng(0).standard_normal(50, np.float32)
    link = projected(1, 50)
    message = link.encode(key, x)
    x_hat = link.decode(jax.random.clone(key), message)
    assert float(np.dot(x, x_hat)) == pytest.approx(
        float(message.side[0]) ** 2, rel=1e-4
    )


def test_scalars_are_the_slopes_that_two_losses_tell(key):
    """f(theta) = |theta|^2 / 2: (f(theta + z) - f(theta - z)) / 2 = <theta, z>, exactly."""
    theta = np.random.default_rng(0).standard_normal(9).astype(np.float32)
    link = projected(1, 9)
    scalar = link.encode(key, theta).side[0]
    unit = link.encode(jax.random.clone(key), theta)._replace(side=np.float32([1.0]))
    z = np.asarray(link.decode(jax.random.clone(key), unit), np.float64)
    f = lambda t: np.dot(t, t) / 2  # noqa: E731
    assert float(scalar) == pytest.approx((f(theta + z) - f(theta - z)) / 2, rel=1e-4)


def test_it_costs_its_scalars():
    assert projected(7, 1000).layout(1000).num_bits == 7 * 32
    assert direct(projected(7, 1000)).layout(1000).num_codes == 0


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: projected(0, 5), "count=0"),
        (lambda: projected(2, 5).layout(6), "was made for d=5, got a length of 6"),
    ],
)
def test_what_makes_no_sense_says_why(make, match):
    with pytest.raises(ValueError, match=match):
        make()
