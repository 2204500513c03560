"""EControl by hand, and what its error is."""

import jax
import numpy as np
import pytest

from flq_jax.compressors import direct, econtrol, innovation, lazy
from flq_jax.quantizers import geometric, top_k, uniform


def walk(link, xs, key):
    """(x_hat, client memory) of each round."""
    client, server = link.init(len(xs[0]))
    for k, x in enumerate(np.float32(xs)):
        each = jax.random.fold_in(key, k)
        message, client = link.encode(each, x, client)
        x_hat, server = link.decode(jax.random.clone(each), message, server)
        yield np.asarray(x_hat), client


def test_three_rounds_by_hand(key):
    """Q keeps the largest of x - h + e / 2: of (3, 2), of (0, 3), and of (0, -1/2)."""
    rounds = walk(econtrol(top_k(1, 2), 0.5), [(3, 2)] * 3, key)
    x_hats, memories = zip(*rounds)
    np.testing.assert_array_equal(x_hats, [(3, 0), (3, 3), (3, 2.5)])
    errors = [memory.error for memory in memories]
    np.testing.assert_array_equal(errors, [(0, 2), (0, 1), (0, 0.5)])


def test_the_error_is_all_that_was_left_out(key):
    xs = np.random.default_rng(0).standard_normal((30, 9)).astype(np.float32)
    x_hats, memories = zip(*walk(econtrol(top_k(2, 9), 0.3), xs, key))
    left = xs.sum(axis=0) - np.sum(x_hats, axis=0)
    np.testing.assert_allclose(memories[-1].error, left, atol=1e-4)


def test_without_a_share_of_the_error_it_is_an_innovation(key):
    xs = np.random.default_rng(0).standard_normal((9, 9)).astype(np.float32)
    plain = [x_hat for x_hat, _ in walk(innovation(top_k(2, 9)), xs, key)]
    key = jax.random.clone(key)
    same = [x_hat for x_hat, _ in walk(econtrol(top_k(2, 9), 0.0), xs, key)]
    np.testing.assert_array_equal(plain, same)


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: econtrol(top_k(1, 2), 1.5), ValueError, "eta=1.5"),
        (lambda: econtrol(direct(top_k(1, 2)), 0.5), TypeError, "needs a quantizer"),
        (
            lambda: econtrol(uniform(3, geometric(1, 0.9)), 0.5),
            ValueError,
            "prescribed radius",
        ),
        (lambda: lazy(econtrol(top_k(1, 2), 0.5)), ValueError, "compares x with"),
    ],
)
def test_what_makes_no_sense_says_why(make, error, match):
    with pytest.raises(error, match=match):
        make()
