"""Draws without replacement: distinct, in range, even, and different from key to key."""

import functools

import jax
import numpy as np
import pytest
from more import only

from flq_jax.quantizers.sampling import distinct

draw = jax.jit(distinct, static_argnums=(1, 2))


@functools.partial(jax.jit, static_argnums=(1, 2))
def drawn_by(seeds, k, d):
    """Rows of draws, one for each seed."""
    return jax.vmap(lambda seed: distinct(jax.random.key(seed), k, d))(seeds)


@pytest.mark.parametrize("d", only({1, 5, 7850}, [1, 2, 3, 5, 8, 37, 1000, 7850]))
def test_all_of_them_are_a_permutation(d, key):
    np.testing.assert_array_equal(np.sort(draw(key, d, d)), np.arange(d))


def test_fewer_are_distinct_and_in_range():
    rows = np.asarray(drawn_by(np.arange(9), 50, 101))
    assert rows.min() >= 0 and rows.max() < 101
    assert all(len(set(row)) == 50 for row in rows.tolist())
    assert len({tuple(row) for row in rows.tolist()}) == 9


def test_single_numbers_and_pairs_are_even():
    """Counts within five standard deviations of what independent draws would have."""
    n, k, d = 20_000, 4, 13
    rows = drawn_by(np.arange(n), k, d)
    held = np.zeros((n, d))
    np.put_along_axis(held, np.asarray(rows), 1, axis=1)
    for counts, p in (
        (held.sum(0), k / d),
        ((held.T @ held)[np.triu_indices(d, 1)], k * (k - 1) / (d * (d - 1))),
    ):
        assert np.abs(counts - n * p).max() <= 5 * np.sqrt(n * p * (1 - p))


def test_neighbours_are_scattered(key):
    """Uniform numbers correlate by 1 / sqrt(n) with the order in which they came."""
    numbers = np.asarray(draw(key, 10_000, 100_000), np.float64)
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 5 / 100
    assert abs(np.corrcoef(numbers, np.arange(10_000))[0, 1]) < 5 / 100
    quarters = np.bincount((numbers // 25_000).astype(int), minlength=4)
    assert np.abs(quarters - 2500).max() <= 5 * np.sqrt(10_000 * 0.25 * 0.75)


def test_more_than_there_are_is_refused(key):
    with pytest.raises(ValueError, match="k must be an integer in 0..d, got k=4 d=3"):
        distinct(key, 4, 3)


def test_more_than_have_an_index_are_refused(key):
    with pytest.raises(ValueError, match=r"2\*\*31 \(i32 indices\), got 2,147,483,648"):
        distinct(key, 4, 2**31)
