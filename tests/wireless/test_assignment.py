"""The Hungarian method against scipy and against all permutations."""

import functools
import itertools
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from flq_jax.wireless import assignment

quick_jit = functools.partial(
    jax.jit, compiler_options={"xla_backend_optimization_level": 0}
)
assign = quick_jit(jax.vmap(assignment.assign_blocks))


def total(weights, block):
    pair = np.take_along_axis(weights, np.maximum(block, 0)[..., None], -1)[..., 0]
    return np.sum(pair * (block >= 0), axis=-1)


def instances(num, m, r, seed=0):
    rng = np.random.default_rng(seed)
    examples, error = rng.integers(100, 600, (num, m)), rng.uniform(size=(num, m, r))
    weights = (examples[..., None] * (error - 1)).astype(np.float32)
    return weights, rng.uniform(size=(num, m, r)) < 0.7


def check_pairs(block, feasible):
    """Only feasible pairs, no block twice."""
    ok = np.take_along_axis(feasible, np.maximum(block, 0)[..., None], -1)[..., 0]
    assert np.all(ok | (block == assignment.NO_BLOCK))
    for row in block:
        held = row[row >= 0]
        assert len(set(held)) == len(held)


@pytest.mark.parametrize("m, r", [(4, 4), (5, 3), (3, 5)])
def test_optimal_among_all_permutations(m, r):
    weights, feasible = instances(1000, m, r)
    block = np.asarray(assign(weights, feasible))
    check_pairs(block, feasible)
    # Every partial matching is a permutation of the square problem padded with zeros.
    size = max(m, r)
    cost = np.zeros((1000, size, size), np.float32)
    cost[:, :m, :r] = np.where(feasible, weights, 0)
    rows = np.arange(size)
    totals = [cost[:, rows, list(p)].sum(axis=1) for p in itertools.permutations(rows)]
    best = np.min(totals, axis=0)
    np.testing.assert_allclose(total(weights, block), best, rtol=1e-5)


@pytest.mark.parametrize("m, r", [(15, 12), (12, 15), (50, 10)])
def test_optimal_against_scipy(m, r):
    weights, feasible = instances(1000, m, r)
    block = np.asarray(assign(weights, feasible))
    check_pairs(block, feasible)
    for w, ok, b in zip(weights, feasible, block):
        cost = np.where(ok, w, 0)
        best = cost[scipy.optimize.linear_sum_assignment(cost)].sum()
        np.testing.assert_allclose(total(w, b), best, rtol=1e-5)


def test_ties_and_positive_weights():
    rng = np.random.default_rng(1)
    weights = rng.integers(-3, 3, (1000, 6, 4)).astype(np.float32)
    block = np.asarray(assign(weights, np.ones(weights.shape, bool)))
    best = [
        c[scipy.optimize.linear_sum_assignment(c)].sum() for c in np.minimum(weights, 0)
    ]
    np.testing.assert_array_equal(total(weights, block), best)
    assert np.all(np.take_along_axis(weights, block[..., None], -1)[block >= 0] < 0)


def test_the_infeasible_stay_without_a_block():
    weights = -jnp.ones((3, 3))
    feasible = jnp.asarray([[True] * 3, [False] * 3, [True, False, False]])
    (block,) = assign(weights[None], feasible[None])
    assert block[1] == assignment.NO_BLOCK and block[2] == 0 and block[0] in (1, 2)


def test_loss_weights_are_the_examples_expected_to_arrive():
    weights = assignment.loss_weights(
        jnp.asarray([100.0, 10.0]), jnp.full((2, 3), 0.25)
    )
    np.testing.assert_array_equal(weights, [[-75.0] * 3, [-7.5] * 3])


def test_random_blocks_are_distinct_and_of_all_kinds(key):
    selected = jnp.asarray([True, False, True, True])
    keys = jax.random.split(key, 2000)
    draw = quick_jit(jax.vmap(lambda k: assignment.random_blocks(k, selected, 3)))
    block = np.asarray(draw(keys))
    np.testing.assert_array_equal(block[:, 1], assignment.NO_BLOCK)
    held = block[:, [0, 2, 3]]
    np.testing.assert_array_equal(
        np.sort(held, axis=1), np.tile(np.arange(3), (2000, 1))
    )
    # Each of the three blocks a third of the time: 5 sigma.
    share = (held[:, 0, None] == np.arange(3)).mean(axis=0)
    assert np.all(np.abs(share - 1 / 3) <= 5 * np.sqrt(2 / 9 / 2000))
    few = assignment.random_blocks(jax.random.clone(key), selected, 2)
    assert few[3] == assignment.NO_BLOCK and set(
        np.asarray(few[jnp.asarray([0, 2])])
    ) == {0, 1}


def test_on_block_reads_each_clients_entry():
    values = jnp.arange(6.0).reshape(3, 2)
    block = jnp.asarray([1, 0, assignment.NO_BLOCK])
    np.testing.assert_array_equal(assignment.on_block(values, block)[:2], [1.0, 2.0])


def test_ten_thousand_clients_on_a_hundred_blocks():
    """A round's allocation well under a second, and it is the optimum."""
    weights, feasible = (x[0] for x in instances(1, 10_000, 100))
    solve = jax.jit(assignment.assign_blocks)
    jax.block_until_ready(solve(weights, feasible))
    start = time.perf_counter()
    block = jax.block_until_ready(solve(weights, feasible))
    seconds = time.perf_counter() - start
    cost = np.where(feasible, weights, 0)
    best = cost[scipy.optimize.linear_sum_assignment(cost)].sum()
    np.testing.assert_allclose(total(weights, np.asarray(block)), best, rtol=1e-5)
    assert seconds < 1.0
