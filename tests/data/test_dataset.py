"""Four arrays are a data set only if they fit each other."""

import numpy as np
import pytest

from flq_jax.data import DataError, make_dataset
from flq_jax.data.dataset import digest
from flq_jax.data.inputs import as_bytes, joined


def arrays(**changes):
    good = {
        "train_inputs": np.arange(24, dtype=np.uint8).reshape(6, 2, 2),
        "train_labels": np.array([0, 1, 2, 0, 1, 2], np.uint8),
        "test_inputs": np.zeros((2, 2, 2), np.uint8),
        "test_labels": np.array([2, 0], np.int64),
    }
    return good | changes


def test_labels_become_i32_and_count_the_classes():
    data = make_dataset("small", **arrays())
    assert data.num_classes == 3
    assert data.name == "small"
    assert data.train_labels.dtype == data.test_labels.dtype == np.int32
    assert data.train_inputs.dtype == np.uint8
    np.testing.assert_array_equal(data.test_labels, [2, 0])


def test_floats_become_f32():
    values = np.linspace(-1.0, 1.0, 6).reshape(6, 1)
    data = make_dataset("f", **arrays(train_inputs=values, test_inputs=values[:2]))
    assert data.train_inputs.dtype == data.test_inputs.dtype == np.float32
    np.testing.assert_allclose(data.train_inputs, values, rtol=1e-7)


def test_given_classes_may_be_more_than_those_seen():
    assert make_dataset("small", **arrays(), num_classes=10).num_classes == 10


BROKEN = {
    "no rows": ({"test_inputs": np.zeros((0, 2, 2), np.uint8)}, r"uint8\[0, 2, 2\]"),
    "no columns": ({"train_inputs": np.zeros(6, np.uint8)}, r"\[n, ...\].*uint8\[6\]"),
    "input type": (
        {"train_inputs": np.zeros((6, 2), int)},
        r"or tokens in int32, got int64\[6, 2\]; these are bytes, .*tokens as int32",
    ),
    "negative tokens": (
        {"train_inputs": np.full((6, 2), -1, np.int32)},
        r"tokens must be 0 or more, got int32\[6, 2\] from -1 to -1",
    ),
    "images as tokens": (
        {"train_inputs": np.full((6, 2, 2), 255, np.int32)},
        r"uint8 or floats, got int32\[6, 2, 2\] from 255 to 255; these are bytes",
    ),
    "not finite": ({"train_inputs": np.full((6, 2), np.nan)}, "finite.*got 12 entries"),
    "overflow": ({"train_inputs": np.full((6, 1), 1e39)}, "finite.*got 6 entries"),
    "other rows": ({"test_inputs": np.zeros((2, 3), np.uint8)}, r"one type.*\[2, 3\]"),
    "other type": ({"test_inputs": np.zeros((2, 2, 2))}, "one type.*float32"),
    "fewer labels": ({"train_labels": np.zeros(5, int)}, "got 5 labels and 6 inputs"),
    "label shape": (
        {"test_labels": np.zeros((2, 1), int)},
        r"test labels: must be integers\[n\], got int64\[2, 1\]; np.squeeze",
    ),
    "label rows": (
        {"test_labels": np.zeros((2, 3), int)},
        r"one type and row shape, got uint8\[6\] and int64\[2, 3\]",
    ),
    "label type": (
        {"test_labels": np.zeros(2)},
        r"one type and row shape, got uint8\[6\] and float64\[2\]",
    ),
    "no labels": ({"train_labels": np.zeros((6, 0), int)}, r"got int64\[6, 0\]"),
    "text labels": ({"train_labels": np.array(["a"] * 6)}, r"integers\[n\].*got str32"),
    "a set of three": (
        {"train_labels": np.full((6, 2), 3, np.uint8)}
        | {"test_labels": np.zeros((2, 2), bool)},
        r"train labels, uint8\[n, k\],: must be in 0..1, got labels from 3 to 3",
    ),
    "numbers not finite": (
        {"train_labels": np.full(6, np.inf), "test_labels": np.zeros(2)},
        "train labels: must be finite as float32, got 6",
    ),
    "test users alone": (
        {"test_users": np.zeros(2, int)},
        "test users must come with train users, got them alone",
    ),
    "users of two types": (
        {"train_users": np.array(["a"] * 6), "test_users": np.zeros(2, int)},
        r"one type, got str32\[6\] and int64\[2\]",
    ),
    "fewer test users": (
        {"train_users": np.zeros(6, int), "test_users": np.zeros(3, int)},
        "test users: must be as many as the inputs, got 3 users and 2 inputs",
    ),
    "negative": ({"train_labels": np.full(6, -1)}, "train labels.*from -1 to -1"),
    "unseen": ({"test_labels": np.array([0, 3])}, "test labels.*0..2.*from 0 to 3"),
    "from 1": (
        {"train_labels": np.arange(6) % 3 + 1, "test_labels": np.array([1, 3])},
        "labels: must start at 0, got 1..3; subtract 1 from all",
    ),
    "test from 1": (
        {"test_labels": np.array([1, 3])},
        "1 to 3; subtract 1 from labels",
    ),
    "bytes as floats": (
        {"train_inputs": np.linspace(0, 255, 24, dtype="f4").reshape(6, 2, 2)}
        | {"test_inputs": np.zeros((2, 2, 2), "f4")},
        r"got float32\[6, 2, 2\] from 0 to 255; divide by 255, or store",
    ),
    "bytes as integers": (
        {"train_inputs": np.full((6, 2), 255)},
        r"got int64\[6, 2\]; these are bytes, store them as uint8",
    ),
    "channels first": (
        {"train_inputs": np.zeros((6, 3, 8, 5), "u1")}
        | {"test_inputs": np.zeros((2, 3, 8, 5), "u1")},
        r"must be \[n, h, w, c\], got uint8\[6, 3, 8, 5\].*np.moveaxis",
    ),
    "wraps": ({"train_labels": np.array([0] + [2**32] * 5)}, "0..65535.*to 4294967296"),
}


@pytest.mark.parametrize("changes, message", BROKEN.values(), ids=BROKEN.keys())
def test_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(DataError, match=f"^folder: .*{message}"):
        make_dataset("small", **arrays(**changes), source="folder")


def test_labels_beyond_the_given_classes_are_refused():
    with pytest.raises(DataError, match=r"0..1, got labels from 0 to 2"):
        make_dataset("small", **arrays(), num_classes=2)


@pytest.mark.parametrize("num_classes", [0, -1, 2**16 + 1, 3.0, "3", True])
def test_classes_that_are_no_number_of_them_are_refused(num_classes):
    with pytest.raises(DataError, match=f"integer in 1..65536, got {num_classes=}"):
        make_dataset("small", **arrays(), num_classes=num_classes)


def test_given_classes_may_lack_the_first():
    changes = {"train_labels": np.full(6, 1), "test_labels": np.array([1, 2])}
    assert make_dataset("small", **arrays(**changes), num_classes=3).num_classes == 3


@pytest.mark.parametrize(
    "shape, low, high",
    [((2, 2), -255.0, 255.0), ((2, 2), 0.0, 1.0), ((8, 8, 3), 0, 1), ((3, 3, 3), 0, 1)],
)
def test_what_only_looks_odd_is_accepted(shape, low, high):
    inputs = np.linspace(low, high, 6 * np.prod(shape)).reshape(6, *shape)
    made = make_dataset("f", **arrays(train_inputs=inputs, test_inputs=inputs[:2]))
    assert made.train_inputs.shape == inputs.shape


def test_tokens_keep_their_type_and_take_a_class_for_each_position():
    """K is one more than the largest token anywhere: 7 stands in the test inputs alone."""
    tokens = np.arange(6, dtype=np.int32).reshape(2, 3)
    data = make_dataset("t", tokens, tokens[:, ::-1], tokens + 2, tokens)
    assert data.train_inputs.dtype == data.train_labels.dtype == np.int32
    assert data.train_labels.shape == (2, 3)
    assert data.num_classes == 8
    np.testing.assert_array_equal(data.train_labels[1], [5, 4, 3])


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 2)])
def test_numbers_are_targets_without_classes(shape):
    targets = np.linspace(-1.0, 1.0, 6 * int(np.prod(shape))).reshape(6, *shape)
    changes = {"train_labels": targets, "test_labels": targets[:2]}
    data = make_dataset("r", **arrays(**changes))
    assert data.num_classes == 0
    assert data.train_labels.dtype == data.test_labels.dtype == np.float32
    np.testing.assert_allclose(data.train_labels, targets, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, bool])
def test_sets_of_labels_have_as_many_classes_as_columns(dtype):
    sets = np.array([[0, 1, 1], [0, 0, 0]], dtype)
    changes = {"train_labels": np.tile(sets, (3, 1)), "test_labels": sets}
    data = make_dataset("m", **arrays(**changes))
    assert (data.num_classes, data.train_labels.dtype) == (3, np.uint8)
    np.testing.assert_array_equal(data.test_labels, sets)


def test_soft_labels_may_say_how_many_classes_they_are_of():
    soft = np.full((6, 4), 0.25)
    changes = {"train_labels": soft, "test_labels": soft[:2]}
    assert make_dataset("s", **arrays(**changes), num_classes=4).num_classes == 4
    with pytest.raises(
        DataError, match=r"labels must be \[n, 3\], got float32\[6, 4\]"
    ):
        make_dataset("s", **arrays(**changes), num_classes=3)


def test_users_are_numbered_train_and_test_together():
    users = np.array(["d", "b", "d", "b", "e", "e"]), np.array(["a", "d"])
    data = make_dataset("u", **arrays(train_users=users[0], test_users=users[1]))
    assert data.train_users.tolist() == [2, 1, 2, 1, 3, 3]
    assert data.test_users.tolist() == [0, 2]
    assert data.train_users.dtype == data.test_users.dtype == np.int32


def test_the_digest_covers_both_users():
    train, test = np.zeros(6, int), np.array([0, 1])
    digests = {
        make_dataset("u", **arrays()).digest,
        make_dataset("u", **arrays(train_users=train)).digest,
        make_dataset("u", **arrays(train_users=train, test_users=test)).digest,
        make_dataset("u", **arrays(train_users=train, test_users=0 * test)).digest,
    }
    assert len(digests) == 4


def test_images_of_255ths_are_stored_as_bytes():
    """Every 255th comes back as its byte; one other number keeps all as floats."""
    whole = np.arange(256).reshape(1, 16, 16)
    for dtype in np.float32, np.float64:
        found = as_bytes((whole / 255).astype(dtype))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, whole)
    for odd in 0.5, -0.1, 1.1, np.nan:
        values = np.array([[[0.0, 1.0, odd]]], np.float32)
        assert as_bytes(values).dtype == np.float32
        np.testing.assert_array_equal(as_bytes(values), values)


def test_features_and_tokens_are_never_taken_for_images():
    for values in np.ones((2, 3)), np.ones((2, 3, 3), np.int32):
        assert as_bytes(values).dtype.kind == values.dtype.kind
        np.testing.assert_array_equal(as_bytes(values), values)


def test_bytes_beside_floats_become_floats():
    bytes_, floats = np.array([[51, 255]], np.uint8), np.array([[0.1, 0.9]], np.float32)
    for found in joined([bytes_, floats], [bytes_]):
        assert found.dtype == np.float32
    first, second = joined([bytes_, floats], [bytes_])
    np.testing.assert_allclose(first, [[0.2, 1.0], [0.1, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(second, [[0.2, 1.0]], rtol=1e-6)
    for found in joined([bytes_, bytes_], [bytes_]):
        assert found.dtype == np.uint8


def test_digest_sees_every_array_its_type_and_its_shape():
    a, b = np.zeros((2, 3), np.uint8), np.zeros(3, np.int32)
    same = digest([a.copy(), b.copy()])
    assert same == digest([a, b])
    assert len(same) == 64
    changed = a.copy()
    changed[1, 2] = 1
    others = [
        [changed, b],
        [a, b + 1],
        [b, a],
        [a.reshape(3, 2), b],
        [a.astype(np.int8), b],
    ]
    assert len({same, *(digest(other) for other in others)}) == 6


def test_digest_reads_strided_arrays_in_their_order():
    a = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert digest([a.T]) == digest([np.ascontiguousarray(a.T)])
