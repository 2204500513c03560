"""Every key is a function of (seed, round, stream)."""

import jax
import numpy as np

from flq_jax import keys


def _bits(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_streams_differ_between_seeds_rounds_and_purposes():
    found = {
        _bits(key)
        for seed in range(3)
        for k in range(20)
        for key in keys.round_keys(keys.seed_key(seed), k)
    } | {_bits(keys.init_key(keys.seed_key(seed))) for seed in range(3)}
    assert len(found) == 3 * 20 * len(keys.RoundKeys._fields) + 3


def test_keys_are_the_same_each_time():
    once, again = (keys.round_keys(keys.seed_key(7), 3) for _ in range(2))
    assert [_bits(key) for key in once] == [_bits(key) for key in again]
