"""Every key is a function of (seed, round, stream)."""

import jax
import numpy as np
import pytest

from flq_jax import keys


def _bits(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_streams_differ_between_seeds_rounds_and_purposes():
    found = {
        _bits(key)
        for seed in range(3)
        for k in range(20)
        for key in keys.round_keys(keys.seed_key(seed), k)[:-1]
    } | {_bits(keys.init_key(keys.seed_key(seed))) for seed in range(3)}
    assert len(found) == 3 * 20 * (len(keys.RoundKeys._fields) - 1) + 3


def test_the_last_shared_key_is_that_of_the_round_before():
    root = keys.seed_key(7)
    rounds = [keys.round_keys(root, k) for k in (*range(5), np.int32(5))]
    shared = [_bits(each.shared) for each in rounds]
    last = [_bits(each.last_shared) for each in rounds]
    assert last[1:] == shared[:-1]
    assert last[0] not in shared


def test_keys_are_the_same_each_time():
    once, again = (keys.round_keys(keys.seed_key(7), 3) for _ in range(2))
    assert [_bits(key) for key in once] == [_bits(key) for key in again]


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 - 1])
def test_the_root_is_the_key_that_jax_makes_of_the_seed(seed):
    expected = jax.random.key(seed, impl="threefry2x32")
    assert keys.seed_key(seed).dtype == expected.dtype
    assert _bits(keys.seed_key(seed)) == _bits(expected)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_would_repeat_another_are_refused(seed):
    with pytest.raises(OverflowError):
        keys.seed_key(seed)
