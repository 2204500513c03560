"""Draws are those of jax.random, and spend their keys as its draws do."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.quantizers import draws


@partial(jax.jit, static_argnums=1)
def drawn(key, shape):
    keys = [jax.random.clone(key) for _ in range(4)]
    ours = draws.bits(keys[0], shape), draws.uniform(keys[1], shape)
    words = jax.random.bits(keys[2], shape, jnp.uint32)
    return ours, (words, jax.random.uniform(keys[3], shape))


@pytest.mark.parametrize("shape", [(), (1,), (7,), (1000,), (3, 5)])
@pytest.mark.parametrize("seed", [0, 1, 2**31])
def test_draws_are_those_of_jax_random(seed, shape):
    ours, theirs = drawn(jax.random.key(seed), shape)
    for found, wanted in zip(ours, theirs):
        assert found.dtype == wanted.dtype and np.array_equal(found, wanted)


@pytest.mark.parametrize("num", [1, 2, 5])
def test_keys_are_those_of_jax_random(key, num):
    @jax.jit
    def split(key):
        keys = draws.split(key, num), jax.random.split(jax.random.clone(key), num)
        return jax.tree.map(jax.random.key_data, keys)

    assert np.array_equal(*split(key))


def test_jit_and_vmap_draw_the_same():
    words = np.random.default_rng(0).integers(2**32, size=(2, 2), dtype=np.uint32)
    keys = [jax.random.wrap_key_data(word) for word in words]

    @jax.jit
    @jax.vmap
    def mapped(word):
        return draws.uniform(jax.random.wrap_key_data(word), (33,))

    for key, row in zip(keys, np.asarray(mapped(words))):
        assert np.array_equal(draws.uniform(key, (33,)), row)


@pytest.mark.parametrize("use", [lambda key: draws.bits(key, (2,)), draws.split])
def test_a_key_is_spent(key, use):
    def twice(key):
        return use(key), draws.bits(key, (2,))

    with pytest.raises(jax.errors.KeyReuseError):
        jax.jit(twice)(key)


def test_more_words_than_have_an_index_are_refused(key):
    with pytest.raises(ValueError, match=r"random words .* got 4,294,967,296"):
        draws.bits(key, (2**16, 2**16))


def test_keys_of_other_generators_are_refused():
    with pytest.raises(ValueError, match="threefry2x32, got rbg"):
        draws.bits(jax.random.key(0, impl="rbg"), (2,))


def test_jax_s_default_kind_of_key_changes_no_stream_of_ours(key):
    wanted = jax.random.key_data(draws.split(jax.random.clone(key), 3))
    with jax.default_prng_impl("rbg"):
        found = draws.split(key, 3)
    np.testing.assert_array_equal(jax.random.key_data(found), wanted)
