"""MARINA by hand, and how often it sends x itself."""

import jax
import numpy as np
import pytest

from flq_jax.compressors import Broadcast, direct, marina
from flq_jax.quantizers import sign, top_k


def walk(link, xs, key):
    """(x_hat, bits) of each round."""
    client, server = link.init(len(xs[0]))
    encode, decode = jax.jit(link.encode), jax.jit(link.decode)
    for k, x in enumerate(np.float32(xs)):
        each, broadcast = jax.random.fold_in(key, k), Broadcast(np.int32(k))
        message, client = encode(each, x, client, broadcast)
        each = jax.random.clone(each)
        x_hat, server = decode(each, message, server, broadcast)
        yield np.asarray(x_hat), int(message.num_bits)


def test_three_rounds_by_hand(key):
    """x itself at first; then the signs of (2, 0) and of (0, -2) are added, 0 as +."""
    xs = [(3, -1), (5, -1), (5, -3)]
    x_hats, bits = zip(*walk(marina(sign(1.0), 1e-6), xs, key))
    np.testing.assert_array_equal(x_hats, [(3, -1), (4, 0), (5, -1)])
    assert bits == (64, 2, 2)


def test_x_itself_comes_as_often_as_is_said_and_for_all_at_once(key):
    """Of 400 rounds a quarter, within four deviations of 0.25 0.75 / 400 under the root."""
    xs = np.zeros((400, 2))
    one = [bits for _, bits in walk(marina(sign(1.0), 0.25), xs, key)]
    assert abs(np.mean(np.array(one) == 64) - 0.25) < 4 * 0.0217
    other = walk(marina(sign(1.0), 0.25), xs + 1, jax.random.key(7))
    assert one == [bits for _, bits in other]


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: marina(sign(), 0.0), ValueError, "probability=0.0"),
        (lambda: marina(direct(sign()), 0.5), TypeError, "needs a quantizer"),
        (lambda: marina(top_k(1, 3), 0.5).layout(3), ValueError, "3 codes each"),
    ],
)
def test_what_makes_no_sense_says_why(make, error, match):
    with pytest.raises(error, match=match):
        make()
