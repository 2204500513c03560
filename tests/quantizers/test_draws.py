"""Draws are those of jax.random, and spend their keys as its draws do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.quantizers import draws


@pytest.mark.parametrize("shape", [(), (1,), (7,), (1000,), (3, 5)])
@pytest.mark.parametrize("seed", [0, 1, 2**31])
def test_draws_are_those_of_jax_random(seed, shape):
    key = jax.random.key(seed)
    words = jax.random.bits(key, shape, jnp.uint32)
    assert np.array_equal(draws.bits(jax.random.clone(key), shape), words)
    numbers = jax.random.uniform(jax.random.clone(key), shape)
    assert np.array_equal(draws.uniform(jax.random.clone(key), shape), numbers)


@pytest.mark.parametrize("num", [1, 2, 5])
def test_keys_are_those_of_jax_random(key, num):
    found, wanted = draws.split(key, num), jax.random.split(jax.random.clone(key), num)
    assert np.array_equal(jax.random.key_data(found), jax.random.key_data(wanted))


def test_jit_and_vmap_draw_the_same(key):
    keys = jax.random.split(key, 4)
    mapped = jax.jit(jax.vmap(lambda key: draws.uniform(key, (33,))))(keys)
    for each, row in zip(jax.random.clone(keys), mapped):
        assert np.array_equal(draws.uniform(each, (33,)), row)


@pytest.mark.parametrize("use", [lambda key: draws.bits(key, (2,)), draws.split])
def test_a_key_is_spent(key, use):
    def twice(key):
        return use(key), draws.bits(key, (2,))

    with pytest.raises(jax.errors.KeyReuseError):
        jax.jit(twice)(key)


def test_keys_of_other_generators_are_refused():
    with pytest.raises(ValueError, match="threefry2x32, got rbg"):
        draws.bits(jax.random.key(0, impl="rbg"), (2,))
