"""CLAG's rule by hand, and the bound of a three point compressor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.compressors import Broadcast, clag, direct, innovation
from flq_jax.quantizers import identity, sign, top_k

D, KEPT = 23, 3


@pytest.mark.parametrize("zeta", [0.0, 1.0, 4.0])
def test_every_round_keeps_the_bound_of_a_three_point_compressor(zeta, key):
    # The largest 3 of 23 contract by alpha = 3/23; s = 1 in the bound.
    link, rest = clag(innovation(top_k(KEPT, D)), zeta), 1 - KEPT / D
    rng = np.random.default_rng(0)
    memory, _ = link.init(D)
    encode = jax.jit(link.encode)
    y, q, sent = np.zeros(D), np.zeros(D), []
    for k in range(60):
        x = np.float32(y + rng.normal(size=D) * (1.0 if k % 20 < 3 else 0.1))
        message, memory = encode(key, x, memory, Broadcast(jnp.int32(k)))
        x_hat = np.asarray(link.estimate(memory))
        moved = np.sum((x - y) ** 2)
        bound = 2 * rest * np.sum((q - y) ** 2) + max(2 * rest, zeta) * moved
        assert np.sum((x_hat - x) ** 2) <= bound * (1 + 1e-5)
        asks = k == 0 or np.sum((x - q) ** 2) > zeta * moved
        assert bool(message.num_bits) == asks
        if not asks:
            np.testing.assert_array_equal(x_hat, q)
        y, q = x, x_hat
        sent.append(asks)
    assert all(sent) if zeta == 0.0 else any(sent) and not all(sent[1:])


def test_a_client_at_rest_speaks_until_nothing_is_left_to_say(key):
    link = clag(innovation(identity()), zeta=5.0)
    memory, _ = link.init(D)
    lengths = []
    for k in range(7, 10):  # it came late
        message, memory = link.encode(key, jnp.ones(D), memory, Broadcast(k))
        lengths.append(int(message.num_bits))
    assert lengths == [32 * D, 0, 0]


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: clag(innovation(sign()), -1.0), "zeta=-1.0"),
        (lambda: clag(innovation(sign()), float("inf")), "zeta=inf"),
        (lambda: clag(direct(sign())), "clag: needs a compressor whose server"),
        (lambda: clag(clag(innovation(sign()))), "clag: is lazy already"),
    ],
)
def test_links_that_make_no_sense_say_why(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_zeta_may_be_traced(key):
    """As many runs of one program are: of 0 all is said, of 1e9 nothing after the first."""
    x, moved = jnp.arange(4.0), jnp.arange(4.0) + 0.5

    def lengths(zeta):
        link = clag(innovation(sign()), zeta)
        first, memory = link.encode(key, x, link.init(4)[0], Broadcast(0))
        again, _ = link.encode(key, moved, memory, Broadcast(1))
        return first.num_bits, again.num_bits

    first, again = jax.vmap(lengths)(jnp.array([0.0, 1e9]))
    np.testing.assert_array_equal(first, [36, 36])
    np.testing.assert_array_equal(again, [36, 0])
