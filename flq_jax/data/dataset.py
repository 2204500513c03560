"""What a data set is, wherever it came from."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from flq_jax.data.errors import DataError
from flq_jax.data.inputs import checked_inputs, require_as_many, type_of
from flq_jax.data.targets import checked_targets


class Dataset(NamedTuple):
    """A data set on the host, checked by `make_dataset`.

    Attributes:
        train_inputs: u8[n, ...] (0..255 stands for 0..1), f32[n, ...], finite, or
            i32[n, ...], tokens, 0 or more.
        train_labels: what a model shall say of each: classes, i32[n]; a class of each
            position, i32[n, t, ...]; labels that an example has, u8[n, K] of 0 and 1; or
            numbers, f32[n] or f32[n, ...], finite.
        test_inputs: as train_inputs, [n_test, ...].
        test_labels: as train_labels, [n_test, ...].
        num_classes: K, the number of classes (of a vocabulary: its size), 1 or more, of
            which labels are 0..K-1; 0 where they are numbers.
        name: what it is called in logs.
        digest: hex SHA-256 over the arrays, types and shapes included.
        train_users: i32[n], whose each training example is, 0..U-1, where the data have
            users of their own; None where they have not.
        test_users: i32[n_test], whose each test example is, numbered as the training
            examples' users; None where nobody knows.
    """

    train_inputs: np.ndarray
    train_labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray
    num_classes: int
    name: str
    digest: str
    train_users: np.ndarray | None = None
    test_users: np.ndarray | None = None


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
    test_users: np.ndarray | None = None,
) -> Dataset:
    """Checks four arrays against each other and makes them a `Dataset`.

    Args:
        name: the data set's name.
        train_inputs: u8[n, ...], floats[n, ...] that are cast to f32, or i32[n, ...];
            n >= 1.
        train_labels: integers[n], integers[n, t, ...], u8 or bool[n, k], or floats[n] or
            [n, ...], see `targets.checked_targets`.
        test_inputs: [n_test, ...] of the same type and row shape.
        test_labels: [n_test, ...] of the same kind and row shape.
        num_classes: K, 1 to 65536; None: as the labels say.
        source: what error messages call the data set, such as its folder; None: name.
        train_users: integers or strings[n], whose each training example is; users are
            numbered in the ascending order of their names, train and test together.
            None: nobody's.
        test_users: of the test examples; only with train_users.

    Raises:
        DataError: for other types or shapes, counts of inputs and labels that differ,
            labels outside 0..K-1, or floats that are not finite in f32. Likewise for what
            would be trained on and hardly be meant: labels[n] that start at 1 (if K is not
            given), floats from 0 to 255, and images with their channels first.
    """
    source = name if source is None else source
    inputs = checked_inputs(source, train_inputs, test_inputs)
    train, test, num_classes = checked_targets(
        source, train_labels, test_labels, inputs, num_classes
    )
    arrays = inputs[0], train, inputs[1], test
    users = _numbered(source, (train_users, test_users), inputs)
    there = [array for array in users if array is not None]
    return Dataset(*arrays, num_classes, name, digest([*arrays, *there]), *users)


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Hex SHA-256 over each array's type, shape and bytes."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _numbered(source: str, users, inputs) -> tuple[np.ndarray | None, ...]:
    """Whose each example is, i32[n] and i32[n_test], in the order of the users' names."""
    pairs = list(zip(("train", "test"), users, inputs))
    for which, names, rows in pairs:
        where = f"{source}: {which} users"
        if names is None:
            continue
        if names.ndim != 1 or names.dtype.kind not in "iuUS":
            raise DataError(
                f"{where}: must be integers or strings[n], got {type_of(names)}"
            )
        require_as_many(where, "users", names, rows)
    train, test = users
    if train is None:
        if test is not None:
            raise DataError(
                f"{source}: test users must come with train users, got them alone"
            )
        return None, None
    if test is None:
        return np.unique(train, return_inverse=True)[1].astype(np.int32), None
    kinds = {train.dtype.kind, test.dtype.kind}
    if len(kinds) > 1 and np.result_type(train, test).kind != "i":
        raise DataError(
            f"{source}: train and test users must be of one type, got {type_of(train)} and "
            f"{type_of(test)}"
        )
    _, number = np.unique(np.concatenate([train, test]), return_inverse=True)
    return tuple(np.split(number.astype(np.int32), [len(train)]))
