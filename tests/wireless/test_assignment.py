"""The Hungarian method against scipy and against all permutations."""

import functools
import itertools
import time

import jax
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
    weights = rng.integers(-3, 3, (1000, 5, 3)).astype(np.float32)
    block = np.asarray(assign(weights, np.ones(weights.shape, bool)))
    best = [
        c[scipy.optimize.linear_sum_assignment(c)].sum() for c in np.minimum(weights, 0)
    ]
    np.testing.assert_array_equal(total(weights, block), best)
    assert np.all(np.take_along_axis(weights, block[..., None], -1)[block >= 0] < 0)


def test_the_infeasible_stay_without_a_block():
    feasible = np.zeros((1000, 4, 4), bool)
    feasible[:, 0, :3], feasible[:, 2, 0] = True, True
    block = np.asarray(assign(np.full((1000, 4, 4), -1, np.float32), feasible))
    np.testing.assert_array_equal(block[:, [1, 3]], assignment.NO_BLOCK)
    assert np.all(block[:, 2] == 0) and np.all(np.isin(block[:, 0], (1, 2)))


def test_loss_weights_are_the_examples_expected_to_arrive():
    weights = quick_jit(assignment.loss_weights)(
        np.float32([100, 10]), np.full((2, 3), 0.25, np.float32)
    )
    np.testing.assert_array_equal(weights, [[-75.0] * 3, [-7.5] * 3])


def test_random_blocks_are_distinct_and_of_all_kinds():
    selected = np.array([True, False, True, True])

    @quick_jit
    @jax.vmap
    def draw(seed):
        keys = jax.random.split(jax.random.key(seed))
        return [
            assignment.random_blocks(key, selected, num)
            for key, num in zip(keys, (3, 2), strict=True)
        ]

    block, few = map(np.asarray, draw(np.arange(2000)))
    np.testing.assert_array_equal(block[:, 1], assignment.NO_BLOCK)
    held = block[:, [0, 2, 3]]
    np.testing.assert_array_equal(
        np.sort(held, axis=1), np.tile(np.arange(3), (2000, 1))
    )
    # Each of the three blocks a third of the time: 5 sigma.
    share = (held[:, 0, None] == np.arange(3)).mean(axis=0)
    assert np.all(np.abs(share - 1 / 3) <= 5 * np.sqrt(2 / 9 / 2000))
    # Of two blocks for the three, each has one two thirds of the time.
    np.testing.assert_array_equal(few[:, 1], assignment.NO_BLOCK)
    served = few[:, [0, 2, 3]]
    np.testing.assert_array_equal(
        np.sort(served, axis=1), np.tile([assignment.NO_BLOCK, 0, 1], (2000, 1))
    )
    share = (served != assignment.NO_BLOCK).mean(axis=0)
    assert np.all(np.abs(share - 2 / 3) <= 5 * np.sqrt(2 / 9 / 2000))


def test_clients_of_equal_weight_share_the_blocks_by_lot():
    weights, feasible = np.full((5, 2), -1, np.float32), np.ones((5, 2), bool)

    @quick_jit
    @jax.vmap
    def draw(seed):
        return assignment.assign_blocks(weights, feasible, jax.random.key(seed))

    served = np.asarray(draw(np.arange(2000))) != assignment.NO_BLOCK
    assert np.all(served.sum(axis=1) == 2)
    share = served.mean(axis=0)
    assert np.all(np.abs(share - 2 / 5) <= 5 * np.sqrt(6 / 25 / 2000))


def test_on_block_reads_each_clients_entry():
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    block = np.int32([1, 0, assignment.NO_BLOCK])
    found = np.asarray(quick_jit(assignment.on_block)(values, block))
    np.testing.assert_array_equal(found[:2], [1.0, 2.0])


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
