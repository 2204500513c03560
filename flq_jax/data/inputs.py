"""What a data set's inputs must be."""

from collections.abc import Sequence

import numpy as np

from flq_jax.data.errors import DataError

WHITE = np.float32(255.0)
ROUNDED = 2e-7  # as far as f32 may put a number of 0..1 off, a few times over


def checked_inputs(
    source: str, train: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Train and test inputs u8[n, ...], f32[n, ...] or i32[n, ...] of one type and shape.

    Args:
        source: what error messages call the data set.
        train: u8, floats, which become f32, or i32, which are tokens; n >= 1.
        test: of the same type and row shape.

    Raises:
        DataError: they are of another type or shape, or not finite in f32, or tokens
            below 0. Likewise for what would be trained on and hardly be meant: floats from
            0 to 255, bytes that are integers, and images with their channels first.
    """
    pair = (
        _inputs(f"{source}: train inputs", train),
        _inputs(f"{source}: test inputs", test),
    )
    if pair[0].dtype != pair[1].dtype or pair[0].shape[1:] != pair[1].shape[1:]:
        raise DataError(
            f"{source}: train and test inputs must have one type and row shape, got "
            f"{type_of(pair[0])} and {type_of(pair[1])}"
        )
    _require_scaled(f"{source}: train inputs", pair[0])
    _require_channels_last(f"{source}: train inputs", pair[0])
    return pair


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Images of floats as the u8 that they are 255ths of, where all are; else as f32.

    Takes a quarter of the memory, and `clients.scaled` gives the same f32 back, to the
    last bit or so.

    Args:
        values: [n, ...]. What is no image, [n, h, w, ...], or no floats, stays as it is.
    """
    if values.dtype.kind != "f":
        return values
    values = values.astype(np.float32, copy=False)
    if values.ndim < 3 or not (
        values.min(initial=0.0) >= 0.0 and values.max(initial=0.0) <= 1.0
    ):
        return values
    rounded = np.rint(values * WHITE)
    if np.abs(rounded / WHITE - values).max(initial=0.0) > ROUNDED:
        return values
    return rounded.astype(np.uint8)


def joined(*halves: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Each half's arrays as one; where some are u8 and some floats, all are floats."""
    kinds = {part.dtype.kind for half in halves for part in half}
    if kinds != {"u", "f"}:
        return [np.concatenate(half) for half in halves]
    floats = [
        [p / WHITE if p.dtype == np.uint8 else p for p in half] for half in halves
    ]
    return [np.concatenate(half) for half in floats]


def require_finite(where: str, array: np.ndarray) -> np.ndarray:
    """The floats as f32; DataError if one is not finite there."""
    with np.errstate(over="ignore"):  # an overflow is not finite, which is said below
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise DataError(
            f"{where}: must be finite as float32, got "
            f"{np.count_nonzero(~np.isfinite(array))} entries that are not"
        )
    return array


def require_as_many(where: str, what: str, values, inputs: np.ndarray) -> None:
    """DataError unless there are as many of them as inputs."""
    if len(values) != len(inputs):
        raise DataError(
            f"{where}: must be as many as the inputs, got {len(values)} {what} and "
            f"{len(inputs)} inputs"
        )


def type_of(array: np.ndarray) -> str:
    """Type and shape as a message names them."""
    return f"{array.dtype.name}{list(array.shape)}"


def _inputs(where: str, array: np.ndarray) -> np.ndarray:
    if array.ndim < 2 or array.size == 0:
        raise DataError(
            f"{where}: must be [n, ...] with at least one entry, got {type_of(array)}"
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.int32:
        return _tokens(where, array)
    if array.dtype.kind != "f":
        bytes_ = array.dtype.kind in "iu" and 0 <= array.min() <= array.max() <= 255
        hint = (
            "; these are bytes, store them as uint8, or tokens as int32"
            if bytes_
            else ""
        )
        raise DataError(
            f"{where}: must be uint8, floats, or tokens in int32, got {type_of(array)}"
            + hint
        )
    return require_finite(where, array)


def _tokens(where: str, array: np.ndarray) -> np.ndarray:
    """i32 that may stand for tokens: an embedding has no row -1, and images are bytes."""
    low, high = int(array.min()), int(array.max())
    if low < 0:
        raise DataError(
            f"{where}: tokens must be 0 or more, got {type_of(array)} from {low} to {high}"
        )
    if high == 255 and array.ndim > 2:
        raise DataError(
            f"{where}: images must be uint8 or floats, got {type_of(array)} from {low} to "
            "255; these are bytes, store them as uint8"
        )
    return array


def _require_scaled(where: str, inputs: np.ndarray) -> None:
    """Raises for floats that are bytes: a model would see 255 where it expects 1."""
    if inputs.dtype.kind == "f" and inputs.max() == 255 and inputs.min() >= 0:
        raise DataError(
            f"{where}: floats must be scaled, for images to 0..1, got {type_of(inputs)} "
            "from 0 to 255; divide by 255, or store them as uint8"
        )


def _require_channels_last(where: str, inputs: np.ndarray) -> None:
    """Raises for [n, 1 or 3, h, w]: a convolution would slide over the colours."""
    if inputs.ndim == 4 and inputs.shape[1] in (1, 3) and min(inputs.shape[2:]) > 4:
        raise DataError(
            f"{where}: images must be [n, h, w, c], got {type_of(inputs)}, whose channels "
            "come first; np.moveaxis(inputs, 1, -1) puts them last"
        )
