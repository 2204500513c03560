"""A caller's arrays: each example with its client, and what is none in one line."""

import numpy as np
import pytest

from flq_jax.simulation.examples import examples, held_out

X = np.arange(12.0).reshape(6, 2)
Y = np.arange(6)


def rows_of(given):
    return [given.inputs[part].tolist() for part in given.parts]


def test_three_ways_to_say_the_same():
    """Clients of four examples and two."""
    pairs = examples([(X[:4], Y[:4]), (X[4:], Y[4:])])
    named = examples((X, Y), owners=["ann"] * 4 + ["bob"] * 2)
    assert rows_of(pairs) == rows_of(named) == [X[:4].tolist(), X[4:].tolist()]
    halves = examples((X, Y), clients=2)
    assert rows_of(halves) == [X[:3].tolist(), X[3:].tolist()]


def test_natural_clients_are_in_the_order_of_their_names():
    given = examples((X, Y), owners=np.array([7, 3, 7, 5, 3, 7]))
    assert [part.tolist() for part in given.parts] == [[1, 4], [3], [0, 2, 5]]


@pytest.mark.parametrize(
    "array, kept",
    [
        (X, np.float32),
        (X.astype(np.float16), np.float16),
        (X.astype(np.uint8), np.uint8),
        (X.astype(np.int64), np.int32),
        (X.astype(np.uint16), np.int32),
    ],
)
def test_inputs_are_as_devices_hold_them(array, kept):
    given = examples((array, array), clients=2)
    assert given.inputs.dtype == given.targets.dtype == kept
    np.testing.assert_array_equal(given.inputs, X)


def test_a_target_may_be_bool_a_vector_or_missing():
    """NaN stands for what a loss is to leave out."""
    targets = np.where(X > 3, X, np.nan)
    assert np.isnan(examples((X, targets), clients=2).targets).sum() == 4
    assert examples((X, X > 3), clients=2).targets.dtype == bool


def test_other_examples_have_another_digest():
    parts = [examples((X, Y), clients=m).sha256 for m in (2, 3)]
    assert len({*parts, examples((X + 1, Y), clients=2).sha256}) == 3


WRONG = [
    (((X, Y),), r"data\[0\] must be a pair .* got .*; one pair of all takes clients"),
    (((X, Y), 2, Y), "takes clients or owners, got both"),
    (([],), r"data must be a list of a pair .*, got a list"),
    (({0: (X, Y)},), r"data must be a list of a pair .*, got a dict"),
    (([X, Y],), r"data\[0\] must be a pair .* got float64\[6, 2\]; one pair of all"),
    (
        ([(X, Y), (X[:, :1], Y)],),
        r"data\[1\] must have inputs float32\[n, 2\].*\[6, 1\]",
    ),
    (([(X, Y), (X, X)],), r"data\[1\] must have targets int32\[n\]"),
    ((X, 2), "data must be a pair"),
    (((X, Y[:5]), 2), "as many targets as inputs, got 5 and 6"),
    (((X, Y), 0), r"clients must be in 1\.\.6, the examples, got 0"),
    (((X, Y), 7), r"clients must be in 1\.\.6, the examples, got 7"),
    (((X, Y), 2.0), "clients must be .* got 2.0"),
    (((X, Y), None, [0, 1]), r"the client of each example, \[6\], got int64\[2\]"),
    (((X[:0], Y[:0]), None, []), "at least one example, got none"),
    (((X > 3, Y), 2), "inputs must be numbers, got bool"),
    (((X.astype(complex), Y), 2), r"arrays \[n, ...\] of numbers, got complex128"),
    ((([["a"]] * 6, Y), 2), "of numbers, got <U1"),
    ((([[1], [2, 3]], [0, 1]), 2), "must be arrays"),
    (((np.where(X > 3, np.inf, X), Y), 2), "finite as float32, got 8 entries"),
    (((X * 1e39, Y), 2), "finite as float32, got 11 entries"),
    (((X, Y * 2**30), 2), r"int32 holds, got 0\.\.5368709120"),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("arguments, message", WRONG)
def test_what_is_none_is_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        examples(*arguments)


def test_test_examples_are_of_the_clients_kind():
    given = examples((X, Y), clients=2)
    with pytest.raises(ValueError, match=r"test must have inputs float32\[n, 2\]"):
        held_out((X[:, 0], Y), given)
    assert len(held_out((X[:1], Y[:1]), given)[0]) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("alone", [True, False])
def test_a_caller_may_go_on_with_the_arrays(dtype, alone):
    """JAX shares the memory of large aligned arrays with NumPy."""
    x, y = X.astype(dtype), Y.astype(dtype)
    given = examples([(x, y)]) if alone else examples((x, y), clients=2)
    held = held_out((x, y), given)
    for array in (*given[:2], *held):
        assert not np.shares_memory(array, x) and not np.shares_memory(array, y)
