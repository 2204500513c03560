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
    memory, _ = link.init(2)
    scales = []
    for _ in range(3):
        message, memory = link.encode(jax.random.key(0), jnp.array([1.0, -1.0]), memory)
        scales.append(float(message.side[0]))
    assert scales == [1.0, 2.0, 3.0]  # the scale 1, and what was said before


def test_silence_leaves_what_is_remembered(key):
    def link(start):
        return lazy(innovation(lloyd_max(3, start=start)), max_silence=100)

    made = resuming(link, levels_of, jnp.zeros(3))
    memory, _ = made.init(5)
    x = jax.random.normal(key, (5,))
    spoken, memory = made.encode(key, x, memory)
    kept = memory.state
    assert spoken.num_bits > 0 and np.any(kept != 0)
    silent, memory = made.encode(key, made.estimate(memory), memory)
    assert silent.num_bits == 0
    np.testing.assert_array_equal(memory.state, kept)


def test_warm_levels_follow_a_source_that_shrinks(key):
    link = resuming(
        lambda start: direct(lloyd_max(4, start=start)), levels_of, jnp.zeros(4)
    )
    memory, _ = link.init(20_000)
    encode = jax.jit(link.encode)
    for k, draw in enumerate(jax.random.split(key, 12)):
        x = 0.5**k * jax.random.normal(draw, (20_000,))
        message, memory = encode(draw, x, memory)
        x_hat, _ = link.decode(draw, message, ())
        error = jnp.sum((x - x_hat) ** 2) / jnp.sum(x**2)
        assert error <= 0.1175 * 1.03  # Max (1960): 0.1175 at four levels


def test_a_level_beyond_all_samples_comes_back(key):
    """What is rounded to a far level once may never come near it again."""
    spike = jnp.zeros(500).at[0].set(1e30)
    x = jax.random.normal(key, (500,))
    link = resuming(
        lambda start: direct(lloyd_max(3, start=start)), levels_of, jnp.zeros(3)
    )
    memory, _ = link.init(500)
    _, memory = link.encode(key, spike, memory)
    message, memory = link.encode(key, x, memory)
    assert jnp.max(jnp.abs(message.side)) <= jnp.max(jnp.abs(x))
    assert jnp.all(jnp.isfinite(memory.state))


def test_what_is_no_link_is_refused():
    with pytest.raises(TypeError, match="resuming: link must give a compressor, got a"):
        resuming(lambda start: codebook((-1.0, 1.0)), lambda message: 0, 0)
