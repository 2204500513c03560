"""What a data set's targets must be: classes, a class of each position, or numbers."""

import numpy as np

from flq_jax.data.errors import DataError
from flq_jax.data.inputs import require_as_many, require_finite, type_of

MAX_CLASSES = 2**16


def checked_targets(
    source: str,
    train: np.ndarray,
    test: np.ndarray,
    inputs: tuple[np.ndarray, np.ndarray],
    num_classes: int | None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Train and test targets as `Dataset` holds them, and K.

        integers[n]                   classes, i32[n] in 0..K-1
        integers[n, t, ...], no u8    a class of each position, i32[n, t, ...] in 0..K-1
        bool or u8[n, K]              which of K labels an example has, u8[n, K] of 0, 1
        floats[n] or [n, ...]         numbers, f32, finite; K = 0 unless it is given

    Args:
        source: what error messages call the data set.
        train, test: of one row shape and one of the four kinds.
        inputs: train and test inputs, already checked.
        num_classes: K; None: of classes one more than the largest training label, and of
            positions one more than the largest target, or token of the inputs, anywhere.

    Raises:
        DataError: they are of other types or shapes, or not as many as the inputs, or
            out of their range; also for labels[n] that start at 1 (if K is not given),
            and for integers[n, 1], which are hardly meant as positions.
    """
    if num_classes is not None and (
        type(num_classes) is not int or not 1 <= num_classes <= MAX_CLASSES
    ):
        raise DataError(
            f"{source}: num_classes must be an integer in 1..{MAX_CLASSES}, got "
            f"{num_classes=}"
        )
    kind = _kind(f"{source}: train labels", train)
    if (
        kind != _kind(f"{source}: test labels", test)
        or train.shape[1:] != test.shape[1:]
    ):
        raise DataError(
            f"{source}: train and test labels must have one type and row shape, got "
            f"{type_of(train)} and {type_of(test)}"
        )
    for which, labels, rows in zip(("train", "test"), (train, test), inputs):
        require_as_many(f"{source}: {which} labels", "labels", labels, rows)
    if kind == "numbers":
        train = require_finite(f"{source}: train labels", train)
        test = require_finite(f"{source}: test labels", test)
        return train, test, _outputs(source, train, num_classes) if num_classes else 0
    if kind == "sets":
        for which, labels in ("train", train), ("test", test):
            _require_range(f"{source}: {which} labels, uint8[n, k],", labels, 2)
        outputs = _outputs(source, train, num_classes)
        return train.astype(np.uint8), test.astype(np.uint8), outputs
    if num_classes is None:
        num_classes = _num_classes(source, train, test, inputs)
    _require_range(f"{source}: train labels", train, num_classes)
    _require_range(f"{source}: test labels", test, num_classes)
    to = np.int32
    return train.astype(to, copy=False), test.astype(to, copy=False), num_classes


def _kind(where: str, labels: np.ndarray) -> str:
    """Which of the four the targets are."""
    if labels.ndim >= 1 and labels.dtype.kind == "f" and labels.size:
        return "numbers"
    if labels.ndim == 2 and (labels.dtype == bool or labels.dtype == np.uint8):
        return "sets"
    if labels.ndim < 1 or labels.dtype.kind not in "iu" or not labels.size:
        raise DataError(
            f"{where}: must be integers[n], integers[n, t], uint8[n, k] or floats[n, ...], "
            f"got {type_of(labels)}"
        )
    if labels.ndim > 1 and labels.shape[1:] == (1,):
        raise DataError(
            f"{where}: must be integers[n], got {type_of(labels)}; np.squeeze(labels, 1) "
            "makes them so"
        )
    return "positions" if labels.ndim > 1 else "classes"


def _outputs(source: str, labels: np.ndarray, num_classes: int | None) -> int:
    """K, which [n, K] must have."""
    if num_classes not in (None, labels.shape[-1]) or labels.ndim != 2:
        raise DataError(
            f"{source}: labels must be [n, {num_classes}], got {type_of(labels)}"
        )
    return labels.shape[1]


def _num_classes(source: str, train, test, inputs) -> int:
    if train.ndim == 1:
        _require_zero(f"{source}: labels", train, test)
        return min(int(train.max()) + 1, MAX_CLASSES)
    tokens = [array for array in inputs if array.dtype == np.int32]
    return min(1 + max(int(a.max()) for a in (train, test, *tokens)), MAX_CLASSES)


def _require_zero(where: str, *labels: np.ndarray) -> None:
    """Raises if none is 0: there would be one class more than there are."""
    low, high = min(map(np.min, labels)), max(map(np.max, labels))
    if low > 0:
        raise DataError(
            f"{where}: must start at 0, got {low}..{high}; subtract {low} from all"
        )


def _require_range(where: str, labels: np.ndarray, num_classes: int) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        from_one = low == 1 and high == num_classes
        raise DataError(
            f"{where}: must be in 0..{num_classes - 1}, got labels from {low} to {high}"
            + "; subtract 1 from labels that start at 1" * from_one
        )
