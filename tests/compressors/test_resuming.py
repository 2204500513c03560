"""A link that goes on from its last message, and one that is told nothing of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.compressors import direct, innovation, lazy, resuming
from flq_jax.quantizers import codebook, levels_of, lloyd_max, sign


def counting(start):
    """The sign, with `start` added to its scale."""
    link = direct(sign())

    def encode(key, x, memory, broadcast=()):
        message, memory = link.encode(key, x, memory)
        return message._replace(side=message.side + start), memory

    return link._replace(encode=encode)


def test_each_message_begins_where_the_last_one_ended():
    link = resuming(counting, lambda message: message.side[0], jnp.float32(0.0))
    encode, (memory, _) = jax.jit(link.encode), link.init(2)
    scales = []
    for _ in range(3):
        message, memory = encode(jax.random.key(0), np.float32([1.0, -1.0]), memory)
        scales.append(float(np.asarray(message.side)[0]))
    assert scales == [1.0, 2.0, 3.0]  # the scale 1, and what was said before


def test_silence_leaves_what_is_remembered(key):
    def link(start):
        return lazy(innovation(lloyd_max(3, start=start)), max_silence=100)

    made = resuming(link, levels_of, jnp.zeros(3))
    encode, (memory, _) = jax.jit(made.encode), made.init(5)
    x = np.random.default_rng(0).standard_normal(5, np.float32)
    spoken, memory = encode(key, x, memory)
    kept = memory.state
    assert spoken.num_bits > 0 and np.asarray(kept).any()
    silent, memory = encode(key, made.estimate(memory), memory)
    assert silent.num_bits == 0
    np.testing.assert_array_equal(memory.state, kept)


def test_warm_levels_follow_a_source_that_shrinks(key):
    link = resuming(
        lambda start: direct(lloyd_max(4, start=start)), levels_of, jnp.zeros(4)
    )
    memory, _ = link.init(20_000)
    encode, decode = jax.jit(link.encode), jax.jit(link.decode)
    rng = np.random.default_rng(0)
    for k in range(12):
        x = np.float32(0.5**k) * rng.standard_normal(20_000, np.float32)
        message, memory = encode(key, x, memory)
        x_hat, _ = decode(key, message, ())
        error = np.sum((x - x_hat) ** 2) / np.sum(x**2)
        assert error <= 0.1175 * 1.03  # Max (1960): 0.1175 at four levels


def test_a_level_beyond_all_samples_comes_back(key):
    """What is rounded to a far level once may never come near it again."""
    spike = np.where(np.arange(500) == 0, np.float32(1e30), np.float32(0.0))
    x = np.random.default_rng(0).standard_normal(500, np.float32)
    link = resuming(
        lambda start: direct(lloyd_max(3, start=start)), levels_of, jnp.zeros(3)
    )
    encode, (memory, _) = jax.jit(link.encode), link.init(500)
    _, memory = encode(key, spike, memory)
    message, memory = encode(key, x, memory)
    assert np.max(np.abs(message.side)) <= np.max(np.abs(x))
    assert np.all(np.isfinite(memory.state))


def test_what_is_no_link_is_refused():
    with pytest.raises(TypeError, match="resuming: link must give a compressor, got a"):
        resuming(lambda start: codebook((-1.0, 1.0)), lambda message: 0, 0)
