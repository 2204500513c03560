"""Clients' examples one after another, read as the stacked ones are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.data.clients import client_data
from flq_jax.data.flat import flat_data, joined, lies_flat

RNG = np.random.default_rng(0)
INPUTS = RNG.integers(0, 256, (12, 2, 3), dtype=np.uint8)
LABELS = np.arange(12) + 1
PARTS = np.split(RNG.permutation(12), [7, 7, 9])  # of 7, 0, 2 and 3
FORMS = [{}, {"blocks": 2, "rows": 8}]


def both(**form):
    made = flat_data(INPUTS, LABELS, PARTS, 8, **form)
    return client_data(INPUTS, LABELS, PARTS, longest=8), jax.tree.map(
        jnp.asarray, made
    )


@pytest.mark.parametrize("form", FORMS)
def test_its_arrays_are_those_of_the_stacked_form(form):
    stacked, flat = both(**form)
    for name in ("inputs", "labels", "sizes"):
        np.testing.assert_array_equal(getattr(flat, name), getattr(stacked, name))
    assert (flat.capacity, flat.input_shape) == (8, (2, 3))
    assert (stacked.capacity, stacked.input_shape) == (8, (2, 3))


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_a_client_are_its_own(form):
    stacked, flat = both(**form)
    pool, rows = flat.apart()
    asked = np.arange(8)

    def of(m):
        return joined(pool, jax.tree.map(lambda leaf: leaf[m], rows)).at(asked)

    for m, part in enumerate(PARTS):
        inputs, labels = of(m)
        np.testing.assert_array_equal(labels, stacked.labels[m])
        np.testing.assert_array_equal(
            inputs[: len(part)], INPUTS[part].reshape(len(part), 6)
        )
        if len(part):  # nothing of another client's
            own = {row.tobytes() for row in INPUTS[part]}
            assert {np.asarray(row).tobytes() for row in inputs} == own


@pytest.mark.parametrize("form", FORMS)
def test_some_clients_are_those_asked(form):
    stacked, flat = both(**form)
    who = np.array([3, 0])
    found = flat.of(who)
    np.testing.assert_array_equal(found.labels, stacked.labels[who])
    np.testing.assert_array_equal(found.inputs, stacked.inputs[who])
    assert flat.of(np.arange(4)) is flat


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("most", [3, 5, 100])
def test_parts_hold_each_example_once(form, most):
    _, flat = both(**form)
    for shares in (flat.divided(most), flat.in_parts(most)):
        assert shares.capacity <= most
        labels = np.concatenate(
            [row[:size] for row, size in zip(shares.labels, shares.sizes)]
        )
        np.testing.assert_array_equal(labels, LABELS[np.concatenate(PARTS)])


def test_an_even_split_stays_stacked():
    assert not lies_flat([10, 10, 9], 10)
    assert lies_flat([10, 10, 5], 10)


def test_a_block_must_hold_its_clients():
    with pytest.raises(ValueError, match="rows must be 7 or more, got 6"):
        flat_data(INPUTS, LABELS, PARTS, 8, blocks=2, rows=6)


def test_one_client_s_shard_is_its_row_of_either_form():
    inputs, labels = np.arange(12.0, dtype=np.float32).reshape(6, 2), np.arange(6)
    parts = np.array([4, 1]), np.arange(0), np.array([0, 2, 3, 5])
    for data in (
        client_data(inputs, labels, parts),
        flat_data(inputs, labels, parts, 4),
    ):
        for client, part in enumerate(parts):
            shard = data.one(client)
            assert shard.sizes == len(part) and shard.capacity == 4
            np.testing.assert_array_equal(shard.inputs[: len(part)], inputs[part])
            np.testing.assert_array_equal(shard.labels[: len(part)], part)
