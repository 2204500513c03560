"""Half a vector: what is sent is the first half's message."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import wire
from flq_jax.quantizers import (
    entropy_coded,
    geometric,
    halved,
    one_of,
    sign,
    stochastic,
    uniform,
)


@pytest.mark.parametrize("inner", [stochastic(3), entropy_coded(uniform(4))])
def test_the_message_is_the_first_half_s_and_the_second_is_zero(inner, key):
    x = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    link = halved(inner)
    sent, plain = (
        link.encode(key, jnp.concatenate([x, 0 * x])),
        inner.encode(jax.random.clone(key), x),
    )
    jax.tree.map(np.testing.assert_array_equal, sent, plain)
    assert link.layout(100).num_bits == inner.layout(50).num_bits
    again = wire.unpack(wire.pack(sent, link.layout(100)), link.layout(100))
    found = link.decode(jax.random.clone(key), again)
    np.testing.assert_array_equal(
        found[:50], inner.decode(jax.random.clone(key), plain)
    )
    assert found.shape == (100,) and not found[50:].any()


def test_a_frame_of_the_whole_is_refused():
    message = sign().encode(jax.random.key(0), np.ones(8, np.float32))
    with pytest.raises(wire.WireError, match="header"):
        wire.unpack(wire.pack(message, sign().layout(8)), halved(sign()).layout(16))


def test_an_odd_length_is_refused():
    with pytest.raises(ValueError, match="halved: needs an even length, 2 d, got 7"):
        halved(sign()).encode(jax.random.key(0), np.ones(7, np.float32))


@pytest.mark.parametrize(
    "inner, says",
    [
        (one_of((sign(), uniform(4))), "halved: takes no choice"),
        (uniform(3, geometric(1.0, 0.9)), "halved: takes no grid with a prescribed"),
    ],
)
def test_what_is_told_of_all_of_x_is_refused(inner, says):
    with pytest.raises(ValueError, match=says):
        halved(inner)
