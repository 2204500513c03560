"""What a data set is, wherever it came from."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from flq_jax.data.errors import DataError

MAX_CLASSES = 2**16


class Dataset(NamedTuple):
    """A classification data set on the host, checked by `make_dataset`.

    Attributes:
        train_inputs: u8[n, ...] (0..255 stands for 0..1) or f32[n, ...], finite.
        train_labels: i32[n] in 0..num_classes-1.
        test_inputs: as train_inputs, [n_test, ...].
        test_labels: i32[n_test] in 0..num_classes-1.
        num_classes: number of classes, 1 or more.
        name: what it is called in logs.
        digest: hex SHA-256 over the arrays, types and shapes included.
        train_users: i32[n], whose each training example is, 0..U-1, where the data have
            users of their own; None where they have not.
    """

    train_inputs: np.ndarray
    train_labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray
    num_classes: int
    name: str
    digest: str
    train_users: np.ndarray | None = None


def make_dataset(
    name: str,
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    *,
    num_classes: int | None = None,
    source: str | None = None,
    train_users: np.ndarray | None = None,
) -> Dataset:
    """Checks four arrays against each other and makes them a `Dataset`.

    Args:
        name: the data set's name.
        train_inputs: u8[n, ...], or floats[n, ...] that are cast to f32; n >= 1.
        train_labels: integers[n].
        test_inputs: integers or floats[n_test, ...] of the same type and row shape.
        test_labels: integers[n_test].
        num_classes: K, 1 to 65536; None: one more than the largest training label.
        source: what error messages call the data set, such as its folder; None: name.
        train_users: integers or strings[n], whose each training example is; users are
            numbered in their ascending order. None: nobody's.

    Raises:
        DataError: for other types or shapes, counts of inputs and labels that differ,
            labels outside 0..K-1, or floats that are not finite in f32. Likewise for what
            would be trained on and hardly be meant: labels that start at 1 (if K is not
            given), floats from 0 to 255, and images with their channels first.
    """
    source = name if source is None else source
    inputs = train_inputs, test_inputs
    inputs = [
        _inputs(f"{source}: {which} inputs", array)
        for which, array in zip(("train", "test"), inputs)
    ]
    if inputs[0].dtype != inputs[1].dtype or inputs[0].shape[1:] != inputs[1].shape[1:]:
        raise DataError(
            f"{source}: train and test inputs must have one type and row shape, got "
            f"{_type(inputs[0])} and {_type(inputs[1])}"
        )
    _require_scaled(f"{source}: train inputs", inputs[0])
    _require_channels_last(f"{source}: train inputs", inputs[0])
    train_labels = _labels(f"{source}: train labels", train_labels, inputs[0])
    test_labels = _labels(f"{source}: test labels", test_labels, inputs[1])
    if num_classes is None:
        _require_zero(f"{source}: labels", train_labels, test_labels)
        num_classes = min(int(train_labels.max(initial=0)) + 1, MAX_CLASSES)
    _require_range(f"{source}: train labels", train_labels, num_classes)
    _require_range(f"{source}: test labels", test_labels, num_classes)
    arrays = (
        inputs[0],
        train_labels.astype(np.int32, copy=False),
        inputs[1],
        test_labels.astype(np.int32, copy=False),
    )
    if train_users is None:
        return Dataset(*arrays, num_classes, name, digest(arrays))
    users = _numbered(f"{source}: train users", train_users, inputs[0])
    return Dataset(*arrays, num_classes, name, digest([*arrays, users]), users)


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Hex SHA-256 over each array's type, shape and bytes."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _inputs(where: str, array: np.ndarray) -> np.ndarray:
    if array.ndim < 2 or array.size == 0:
        raise DataError(
            f"{where}: must be [n, ...] with at least one entry, got {_type(array)}"
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        bytes_ = array.dtype.kind in "iu" and 0 <= array.min() <= array.max() <= 255
        hint = "; these are bytes, store them as uint8" if bytes_ else ""
        raise DataError(f"{where}: must be uint8 or floats, got {_type(array)}{hint}")
    with np.errstate(over="ignore"):  # an overflow is not finite, which is said below
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise DataError(
            f"{where}: must be finite as float32, got "
            f"{np.count_nonzero(~np.isfinite(array))} entries that are not"
        )
    return array


def _require_scaled(where: str, inputs: np.ndarray) -> None:
    """Raises for floats that are bytes: a model would see 255 where it expects 1."""
    if inputs.dtype != np.uint8 and inputs.max() == 255 and inputs.min() >= 0:
        raise DataError(
            f"{where}: floats must be scaled, for images to 0..1, got {_type(inputs)} "
            "from 0 to 255; divide by 255, or store them as uint8"
        )


def _require_channels_last(where: str, inputs: np.ndarray) -> None:
    """Raises for [n, 1 or 3, h, w]: a convolution would slide over the colours."""
    if inputs.ndim == 4 and inputs.shape[1] in (1, 3) and min(inputs.shape[2:]) > 4:
        raise DataError(
            f"{where}: images must be [n, h, w, c], got {_type(inputs)}, whose channels "
            "come first; np.moveaxis(inputs, 1, -1) puts them last"
        )


def _require_zero(where: str, *labels: np.ndarray) -> None:
    """Raises if none is 0: there would be one class more than there are."""
    low, high = min(map(np.min, labels)), max(map(np.max, labels))
    if low > 0:
        raise DataError(
            f"{where}: must start at 0, got {low}..{high}; subtract {low} from all"
        )


def _numbered(where: str, users: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Whose each example is, i32[n], numbered in the order of their names."""
    if users.ndim != 1 or users.dtype.kind not in "iuUS":
        raise DataError(f"{where}: must be integers or strings[n], got {_type(users)}")
    _require_as_many(where, "users", users, inputs)
    return np.unique(users, return_inverse=True)[1].astype(np.int32)


def _labels(where: str, labels: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{where}: must be integers[n], got {_type(labels)}")
    _require_as_many(where, "labels", labels, inputs)
    return labels


def _require_as_many(
    where: str, what: str, values: np.ndarray, inputs: np.ndarray
) -> None:
    if len(values) != len(inputs):
        raise DataError(
            f"{where}: must be as many as the inputs, got {len(values)} {what} and "
            f"{len(inputs)} inputs"
        )


def _require_range(where: str, labels: np.ndarray, num_classes: int) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        from_one = low == 1 and high == num_classes
        raise DataError(
            f"{where}: must be in 0..{num_classes - 1}, got labels from {low} to {high}"
            + "; subtract 1 from labels that start at 1" * from_one
        )


def _type(array: np.ndarray) -> str:
    return f"{array.dtype.name}{list(array.shape)}"
