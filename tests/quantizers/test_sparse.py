"""Top-k with quantized values, by hand."""

import jax
import numpy as np
import pytest

from flq_jax.quantizers import (
    entropy_coded,
    geometric,
    identity,
    sign,
    stochastic,
    top_k,
    uniform,
    warm_up,
)


def test_signs_of_the_largest_two_by_hand(key):
    """-4 and 2 at places 1 and 4, in rising order, at their mean magnitude of 3."""
    link = top_k(2, 5, values=sign())
    message = link.encode(key, np.float32([0, -4, 1, 0, 2]))
    np.testing.assert_array_equal(message.codes, [1, 4, 0, 1])
    np.testing.assert_array_equal(message.side, [3.0])
    assert int(message.num_bits) == 2 * 3 + 2 + 32
    x_hat = link.decode(jax.random.clone(key), message)
    np.testing.assert_array_equal(x_hat, [0, -3, 0, 0, 3])


def test_values_as_they_are_are_those_of_plain_top_k(key):
    x = np.random.default_rng(0).standard_normal(1000, np.float32)
    plain, rising = top_k(0.03, 1000), top_k(0.03, 1000, values=identity())
    sent = rising.encode(key, x)
    assert (np.diff(np.asarray(sent.codes)[:30].astype(int)) > 0).all()
    assert rising.layout(1000).num_bits == plain.layout(1000).num_bits
    assert rising.layout(1000).rising == 30
    key = jax.random.clone(key)
    came = rising.decode(key, sent)
    key = jax.random.clone(key)
    np.testing.assert_array_equal(came, plain.decode(key, plain.encode(key, x)))


def test_gaps_cost_less_than_numbers(key):
    """Of 10,000, 100: log2(100) + 2 bits a gap and 14 a number; half a bit of slack."""
    x = np.random.default_rng(0).standard_normal(10_000, np.float32)
    link = entropy_coded(top_k(100, 10_000, values=identity()))
    bits = int(jax.jit(link.encode)(key, x).num_bits)
    assert bits - 2 - 5 - 32 * 100 < 100 * (np.log2(100) + 2.5)
    ideal = 100 * (np.log2(100) + np.log2(np.e))  # of a geometric law, about
    assert bits - 2 - 5 - 32 * 100 > 0.9 * ideal


def test_it_says_how_it_is_made():
    layout = top_k(5, 1000, values=stochastic(1)).layout(1000)
    assert layout.runs == ((10, 5), (2, 5)) and layout.num_sides == 1


@pytest.mark.parametrize(
    "values, match",
    [
        (uniform(3, geometric(1.0, 0.9)), "schedule or a choice"),
        (warm_up(sign(), 3), "schedule or a choice"),
        (entropy_coded(sign()), "code the whole"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, match):
    with pytest.raises(ValueError, match=match):
        top_k(2, 5, values=values)
