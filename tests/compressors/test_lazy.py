"""The lazy rule against numpy, and its bound on silence."""

import jax
import numpy as np
import pytest

from flq_jax.compressors import Broadcast, innovation, lazy
from flq_jax.quantizers import identity, uniform

D, HISTORY = 11, 4


def _grid(x, bits):
    """In f32, so that half-way points round as they do in the link."""
    radius = np.abs(x).max()
    step = np.float32(2 / (2**bits - 1)) * radius
    return np.floor((x + radius) / step + np.float32(0.5)) * step - radius


@pytest.mark.parametrize("error_weight", [0.0, 1.5, 3.0])
def test_the_rule_is_that_of_the_paper(error_weight, key):
    """An independent walk through Eqs. (7a) and (7b)."""
    rng = np.random.default_rng(1)
    link = lazy(
        innovation(uniform(3)),
        history=HISTORY,
        weight=0.8,
        max_silence=9,
        error_weight=error_weight,
    )
    memory, _ = link.init(D)

    @jax.jit
    def encode(key, x, memory, broadcast):
        message, memory = link.encode(key, x, memory, broadcast)
        return message.num_bits, memory, link.estimate(memory)

    x, q = np.float32(rng.normal(size=D)), np.zeros(D, np.float32)
    last_error, silent, movements, spoke = 0.0, 0, [], 0
    for k in range(300):
        x = x + np.float32(rng.normal(size=D) * (0.3 if k % 50 < 5 else 0.01))
        new = q + _grid(x - q, 3)
        error = np.sum((x - new) ** 2)
        weight = 0.8 / min(max(k, 1), HISTORY)
        threshold = weight * sum(movements[:HISTORY]) + error_weight * (
            error + last_error
        )
        news = np.sum((new - q) ** 2)
        clear = abs(news - threshold) > 1e-4 * threshold
        padded = (movements + [0.0] * HISTORY)[:HISTORY]
        num_bits, memory, estimate = encode(
            key, x, memory, Broadcast(np.int32(k), np.float32(padded))
        )
        sends = bool(num_bits)
        assert not clear or sends == (news > threshold or silent >= 9)
        q, last_error, silent = (
            (new, error, 0) if sends else (q, last_error, silent + 1)
        )
        np.testing.assert_allclose(estimate, q, atol=1e-4)
        movements.insert(0, 0.05 * rng.random())
        spoke += sends
    assert 30 < spoke < 300


@pytest.mark.parametrize("max_silence", [1, 5])
def test_silence_lasts_max_silence_rounds_and_no_longer(max_silence, key):
    link = lazy(innovation(identity()), weight=1.0, max_silence=max_silence)
    encode, decode = jax.jit(link.encode), jax.jit(link.decode)
    memory, server = link.init(D)
    x, pattern = np.ones(D, np.float32), []
    for k in range(3 * (max_silence + 1)):
        movements = np.full(10, 1e9 if k else 0.0, np.float32)
        message, memory = encode(key, x, memory, Broadcast(np.int32(k), movements))
        pattern.append(bool(message.num_bits))
        if not pattern[-1]:
            assert not any(np.asarray(leaf).any() for leaf in message)
        x_hat, server = decode(key, message, server)
        np.testing.assert_array_equal(x_hat, 1.0)
    assert pattern == ([True] + [False] * max_silence) * 3


def test_nothing_new_is_not_sent(key):
    link = lazy(innovation(uniform(4)), error_weight=0.0)
    memory, _ = link.init(D)
    message, _ = jax.jit(link.encode)(key, np.zeros(D, np.float32), memory)
    assert message.num_bits == 0
