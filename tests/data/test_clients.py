"""Clients' examples, stacked: each row where it belongs, nothing else read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.data import client_data, scaled
from flq_jax.data.clients import ClientData, pooled
from flq_jax.data.partition import contiguous, dirichlet, iid

RNG = np.random.default_rng(0)
INPUTS = RNG.integers(0, 256, (60, 3, 2), dtype=np.uint8)
LABELS = np.arange(60, dtype=np.int32) % 5


@pytest.mark.parametrize("dtype", [None, np.uint8, np.float32])
@pytest.mark.parametrize(
    "parts",
    [
        contiguous(LABELS, 6),
        contiguous(LABELS, 7),
        iid(LABELS, 6, 1),
        dirichlet(LABELS, 6, 2, alpha=0.1),
        (np.array([], int), np.array([59, 0])),
    ],
    ids=["even", "uneven", "shuffled", "skewed", "an empty client"],
)
def test_rows_come_first_and_zeros_after(parts, dtype):
    data = client_data(INPUTS, LABELS, parts, dtype)
    expected = INPUTS / 255.0 if dtype == np.float32 else INPUTS
    longest = max(len(part) for part in parts)
    assert data.inputs.shape == (len(parts), longest, 3, 2)
    assert data.inputs.dtype == (dtype or np.uint8)
    assert data.labels.shape == (len(parts), longest)
    assert data.labels.dtype == data.sizes.dtype == np.int32
    for m, part in enumerate(parts):
        assert data.sizes[m] == len(part)
        size = data.sizes[m]
        np.testing.assert_allclose(data.inputs[m, :size], expected[part], rtol=2e-7)
        np.testing.assert_array_equal(data.labels[m, :size], LABELS[part])
        assert not data.inputs[m, size:].any()
        assert not data.labels[m, size:].any()


def test_even_contiguous_parts_are_a_view():
    data = client_data(INPUTS, LABELS, contiguous(LABELS, 6))
    assert np.shares_memory(data.inputs, INPUTS)
    assert np.shares_memory(data.labels, LABELS)


def test_even_parts_in_another_order_are_no_view():
    parts = contiguous(LABELS, 2)[::-1]
    data = client_data(INPUTS, LABELS, parts)
    np.testing.assert_array_equal(data.inputs[0], INPUTS[30:])


def test_floats_are_stacked_as_they_are():
    inputs = RNG.standard_normal((60, 4)).astype(np.float32)
    for dtype in None, np.float32:
        data = client_data(inputs, LABELS, iid(LABELS, 3), dtype)
        np.testing.assert_array_equal(data.inputs[0], inputs[iid(LABELS, 3)[0]])


def test_stacked_f32_is_scaled_u8():
    parts = contiguous(LABELS, 7)
    late = scaled(jnp.asarray(client_data(INPUTS, LABELS, parts).inputs))
    early = client_data(INPUTS, LABELS, parts, np.float32).inputs
    np.testing.assert_allclose(late, early, rtol=2e-7)


def test_scaled_takes_every_u8_into_the_unit_interval():
    x = jax.jit(scaled)(jnp.arange(256, dtype=jnp.uint8))
    assert x.dtype == jnp.float32
    assert (float(x[0]), float(x[255])) == (0.0, 1.0)
    np.testing.assert_allclose(x, np.arange(256) / 255.0, rtol=2e-7)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32])
def test_scaled_leaves_floats_and_tokens_alone(dtype):
    x = jnp.array([-3.0, 5.0, 200.0]).astype(dtype)
    assert scaled(x).dtype == dtype
    np.testing.assert_array_equal(scaled(x), x)


def test_scaled_refuses_other_types():
    with pytest.raises(ValueError, match="scaled: .*got int16"):
        scaled(jnp.arange(3, dtype=jnp.int16))


BROKEN = {
    "labels": ((INPUTS, LABELS[:9], [np.arange(9)]), "9 labels and 60 inputs"),
    "no clients": ((INPUTS, LABELS, []), r"at least one row, got sizes \[\]"),
    "no rows": ((INPUTS, LABELS, [np.array([], int)]), r"one row, got sizes \[0\]"),
    "above": ((INPUTS, LABELS, [np.array([0, 60])]), r"0..59, got 0..60"),
    "below": ((INPUTS, LABELS, [np.array([-1, 5])]), r"0..59, got -1..5"),
    "dtype": ((INPUTS, LABELS, [np.arange(9)], np.float64), "uint8, got float64"),
    "floats to u8": (
        (INPUTS / 255.0, LABELS, [np.arange(9)], np.uint8),
        "float64, got uint8",
    ),
}


@pytest.mark.parametrize("arguments, message", BROKEN.values(), ids=BROKEN.keys())
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"client_data: .*{message}"):
        client_data(*arguments)


def test_divided_shares_hold_the_same_examples():
    inputs = jnp.arange(2 * 5 * 3).reshape(2, 5, 3)
    data = ClientData(inputs, inputs[..., 0], jnp.array([5, 1], jnp.int32))
    shares = data.divided(2)
    assert shares.inputs.shape == (6, 2, 3)
    assert shares.sizes.tolist() == [2, 2, 1, 1, 0, 0]
    rows = [row for n, part in zip(shares.sizes, shares.inputs) for row in part[:n]]
    expected = jnp.concatenate([inputs[0], inputs[1, :1]])
    assert jnp.array_equal(jnp.stack(rows), expected)


def test_pooled_examples_are_one_client():
    inputs, labels = jnp.arange(6.0).reshape(3, 2), jnp.arange(3)
    data = pooled(inputs, labels)
    assert data.inputs.shape == (1, 3, 2) and data.labels.shape == (1, 3)
    assert data.sizes.tolist() == [3]


@pytest.mark.parametrize(
    "targets, kept",
    [
        (RNG.standard_normal((60, 2)).astype(np.float32), np.float32),
        (RNG.standard_normal(60), np.float32),
        (RNG.standard_normal((60, 2)) > 0, np.bool_),
        (RNG.integers(0, 9, (60, 4)), np.int32),
    ],
)
@pytest.mark.parametrize("parts", [contiguous(LABELS, 6), contiguous(LABELS, 7)])
def test_targets_of_any_shape_keep_what_they_say(targets, kept, parts):
    data = client_data(INPUTS, targets, parts)
    assert data.labels.dtype == kept
    assert data.labels.shape[2:] == targets.shape[1:]
    for m, part in enumerate(parts):
        found = data.labels[m, : len(part)]
        np.testing.assert_array_equal(found, targets[part].astype(kept))


def test_pooled_targets_of_several_numbers_are_as_many_as_their_examples():
    assert pooled(jnp.zeros((3, 2)), jnp.zeros((3, 4))).sizes.tolist() == [3]


def test_labels_that_no_i32_holds_are_refused():
    with pytest.raises(ValueError, match="as int32 holds them, got 0..2147483648"):
        client_data(INPUTS, np.arange(60) % 2 * 2**31, [np.arange(60)])
