"""Momentum before compression, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.compressors import (
    Broadcast,
    direct,
    error_feedback,
    innovation,
    lazy,
    momentum,
)
from flq_jax.quantizers import geometric, identity, sign, uniform

D = 7


def sent(link, xs, key):
    """What the server decodes of each x."""
    encode, decode = jax.jit(link.encode), jax.jit(link.decode)
    (client, server), decoded = link.init(D), []
    for k, x in enumerate(xs):
        key_round = jax.random.fold_in(key, k)
        message, client = encode(key_round, x, client)
        x_hat, server = decode(jax.random.clone(key_round), message, server)
        decoded.append(x_hat)
    return np.stack(decoded), client


def normal(rounds):
    return np.random.default_rng(0).standard_normal((rounds, D)).astype(np.float32)


def averages(xs, beta):
    """(1 - beta) sum_j beta^(k - j) x_j, by the sum itself."""
    k = np.arange(len(xs))
    weights = (1 - beta) * np.tril(float(beta) ** np.maximum(k[:, None] - k[None], 0))
    return weights @ np.asarray(xs)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_server_hears_the_moving_average(beta, key):
    xs = normal(12)
    heard, memory = sent(momentum(direct(identity()), beta), xs, key)
    np.testing.assert_allclose(heard, averages(xs, beta), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(memory.average, heard[-1])


def test_error_feedback_inside_loses_none_of_the_average(key):
    xs = normal(40)
    heard, memory = sent(momentum(error_feedback(sign()), 0.5), xs, key)
    total = averages(xs, 0.5).sum(axis=0)
    np.testing.assert_allclose(
        heard.sum(axis=0) + memory.inner, total, rtol=1e-4, atol=1e-4
    )


def test_the_average_moves_on_while_the_link_is_silent(key):
    link = momentum(lazy(innovation(identity())), 0.5)
    memory, _ = link.init(D)
    for k in range(1, 4):
        broadcast = Broadcast(k, jnp.full(link.history, 1e9))
        message, memory = link.encode(key, jnp.ones(D), memory, broadcast)
        assert message.num_bits == 0
    np.testing.assert_allclose(memory.average, 1 / 2 + 1 / 4 + 1 / 8)
    np.testing.assert_array_equal(link.estimate(memory), 0.0)


def test_overload_is_the_averages():
    grid = uniform(2)._replace(overload=lambda x: jnp.max(jnp.abs(x)) > 0.6)
    link = momentum(innovation(grid), 0.5)
    client, _ = link.init(D)
    assert not link.overload(jnp.ones(D), client)
    assert link.overload(1.5 * jnp.ones(D), client)


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: momentum(direct(sign()), 1.0), ValueError, "beta=1.0"),
        (lambda: momentum(direct(sign()), -0.1), ValueError, "beta=-0.1"),
        (lambda: momentum(sign(), 0.9), TypeError, "got a Quantizer"),
        (
            lambda: momentum(innovation(uniform(3, geometric(1, 0.9))), 0.9),
            ValueError,
            "momentum: takes no grid",
        ),
        (
            lambda: lazy(momentum(innovation(sign()), 0.9)),
            ValueError,
            "the other way round",
        ),
    ],
)
def test_links_that_make_no_sense_say_why(make, error, match):
    with pytest.raises(error, match=match):
        make()
