"""A caller's arrays as the examples of clients."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from flq_jax.data.dataset import digest
from flq_jax.data.partition import contiguous

Pair = tuple[ArrayLike, ArrayLike]


class Examples(NamedTuple):
    """What the clients hold.

    Attributes:
        inputs: [n, ...], u8, i32 or floats.
        targets: [n, ...], of any type.
        parts: for each client the rows it holds, integers[n_m].
        sha256: of all of these.
    """

    inputs: np.ndarray
    targets: np.ndarray
    parts: Sequence[np.ndarray]
    sha256: str


def examples(
    data: Pair | Sequence[Pair],
    clients: int | None = None,
    owners: ArrayLike | None = None,
) -> Examples:
    """The examples of clients, given in one of three ways.

    Args:
        data: a pair (inputs, targets) of each client, or, with `clients` or `owners`, one
            of all. Inputs are u8[n, ...], which stand for 0..1, other integers, or finite
            floats; targets are [n, ...]. f64 becomes f32, integers i32.
        clients: so many, of examples that follow one another, as equally as it goes.
        owners: for each example the name of its client, [n], numbers or strings; clients
            are in the order of their names.

    Raises:
        ValueError: it is none of these.
    """
    if clients is not None and owners is not None:
        raise ValueError("Simulation: takes clients or owners, got both")
    if clients is None and owners is None:
        return _of_each(data)
    inputs, targets = _pair("data", data)
    n = len(inputs)
    if owners is None:
        if not isinstance(clients, int) or not 1 <= clients <= n:
            raise ValueError(
                f"Simulation: clients must be in 1..{n}, the examples, got {clients!r}"
            )
        parts = contiguous(np.arange(n), clients)
    else:
        parts = _natural(np.asarray(owners), n)
    return _checked(inputs, targets, parts)


def held_out(test: Pair, like: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Test examples of the kind that clients hold; ValueError if they are not."""
    inputs, targets = _pair("test", test)
    _require_same("test", (inputs, targets), (like.inputs, like.targets))
    return _checked(inputs, targets, [np.arange(len(inputs))])[:2]


def _of_each(data: Any) -> Examples:
    """One pair of each client, one after another."""
    if not isinstance(data, Sequence) or len(data) == 0:
        raise ValueError(
            "Simulation: data must be a list of a pair (inputs, targets) for each client, "
            f"or a pair with clients=... or owners=..., got a {type(data).__name__}"
        )
    pairs = [_pair(f"data[{m}]", pair) for m, pair in enumerate(data)]
    for m, pair in enumerate(pairs):
        _require_same(f"data[{m}]", pair, pairs[0])
    ends = np.cumsum([len(inputs) for inputs, _ in pairs])
    parts = np.split(np.arange(ends[-1]), ends[:-1])
    inputs, targets = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    return _checked(inputs, targets, parts)


def _pair(where: str, pair: Any) -> tuple[np.ndarray, np.ndarray]:
    """(inputs, targets) in numpy, as many of one as of the other."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        hint = "; one pair of all takes clients=... or owners=..." * ("[" in where)
        raise ValueError(
            f"Simulation: {where} must be a pair (inputs, targets), got "
            f"{_kind(pair)}{hint}"
        )
    inputs, targets = (_array(where, array) for array in pair)
    if len(inputs) != len(targets):
        raise ValueError(
            f"Simulation: {where} must have as many targets as inputs, got "
            f"{len(targets)} and {len(inputs)}"
        )
    return inputs, targets


def _array(where: str, array: Any) -> np.ndarray:
    """An array [n, ...] of numbers, in the types that devices hold, and nobody else has.

    JAX may take NumPy's memory for its own, and a caller change it in place.
    """
    try:
        array = np.asarray(array)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"Simulation: {where}: must be arrays: {error}") from error
    if array.ndim == 0 or array.dtype.kind in "OUSMmc":
        raise ValueError(
            f"Simulation: {where} must hold arrays [n, ...] of numbers, got {_kind(array)}"
        )
    if array.dtype.kind not in "iu" or array.dtype in (np.uint8, np.int32):
        single = np.float32 if array.dtype == np.float64 else array.dtype
        with np.errstate(over="ignore"):  # an overflow is not finite, which is said
            return array.astype(single)
    held = np.iinfo(np.int32)
    if array.size and not held.min <= array.min() <= array.max() <= held.max:
        raise ValueError(
            f"Simulation: {where} must be numbers that int32 holds, got {array.min()}.."
            f"{array.max()}"
        )
    return array.astype(np.int32)


def _require_same(where: str, pair: Sequence[np.ndarray], like: Sequence) -> None:
    for what, array, first in zip(("inputs", "targets"), pair, like, strict=True):
        if (array.dtype, array.shape[1:]) != (first.dtype, first.shape[1:]):
            wanted = f"{first.dtype}[{', '.join(['n', *map(str, first.shape[1:])])}]"
            raise ValueError(
                f"Simulation: {where} must have {what} {wanted}, as the first client, got "
                f"{_kind(array)}"
            )


def _natural(owners: np.ndarray, n: int) -> list[np.ndarray]:
    """The rows of each owner, in their order."""
    if owners.shape != (n,):
        raise ValueError(
            f"Simulation: owners must name the client of each example, [{n}], got "
            f"{_kind(owners)}"
        )
    _, client = np.unique(owners, return_inverse=True)
    order = np.argsort(client, kind="stable")
    return np.split(order, np.cumsum(np.bincount(client))[:-1])


def _checked(
    inputs: np.ndarray, targets: np.ndarray, parts: Sequence[np.ndarray]
) -> Examples:
    if not len(inputs):
        raise ValueError("Simulation: there must be at least one example, got none")
    if inputs.dtype == bool:
        raise ValueError("Simulation: inputs must be numbers, got bool; cast them")
    if inputs.dtype.kind not in "iu" and not np.isfinite(inputs).all():
        broken = np.count_nonzero(~np.isfinite(inputs))
        raise ValueError(
            f"Simulation: inputs must be finite as {inputs.dtype}, got {broken} entries "
            "that are not"
        )
    return Examples(inputs, targets, parts, digest((inputs, targets, *parts)))


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return f"a {type(value).__name__}"
