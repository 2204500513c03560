"""LEAF's JSON: examples by user (Caldas et al. 2018, arXiv:1812.01097).

    train/*.json, test/*.json    as many files as one likes, each
    {"users": [user, ...], "num_samples": [n, ...],
     "user_data": {user: {"x": [...], "y": [...]}, ...}}

x is an image as a list of floats (FEMNIST: 784), or text of one length (Shakespeare: 80
characters), and y a class, or the character that comes next.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flq_jax.data.archives import read_named
from flq_jax.data.characters import ALPHABET, tokens
from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.data.errors import DataError
from flq_jax.data.inputs import as_bytes, joined
from flq_jax.data.reading import reason, require_path, shown

NAME_LETTERS = 40
SQUARE = 784  # pixels of FEMNIST, 28 x 28
_KINDS = "numbers", "text"


def leaf(
    folder: str | os.PathLike, *, name: str = "leaf", num_classes: int | None = None
) -> Dataset:
    """The examples of LEAF's folders `train` and `test`, with their users.

    784 numbers are an image of 28 x 28, and images whose pixels are all 255ths are kept as
    bytes, in a quarter of the memory. Text becomes tokens, see `characters.tokens`, and K is then
    80.

    Args:
        folder: holds both folders.
        name: the data set's.
        num_classes: K; None: see `make_dataset`; of characters 80.

    Raises:
        DataError: a file is missing, broken or of another layout, a user stands twice in
            one half, or examples differ in kind or length; see also `make_dataset`.
    """
    require_path("leaf", folder)
    train, test = (_half(Path(folder, half)) for half in ("train", "test"))
    if num_classes is None and train[1].dtype.kind == "U":
        num_classes = len(ALPHABET)
    inputs = joined(train[0], test[0])
    return make_dataset(
        name,
        inputs[0],
        _classes(train[1]),
        inputs[1],
        _classes(test[1]),
        num_classes=num_classes,
        source=shown(folder),
        train_users=train[2],
        test_users=test[2],
    )


def _half(folder: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Inputs of each user, all labels and users, in the order of the files' names."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{shown(folder)}: must be a folder of LEAF's JSON files, got {reason(error)}"
        ) from error
    inputs, labels, users = [], [], []
    for path in paths:
        for user, x, y in _read(path):
            inputs.append(x)
            labels.append(y)
            users.append(user)
    if len(set(users)) < len(users):
        twice = next(user for user in users if users.count(user) > 1)
        raise DataError(
            f"{shown(folder)}: must hold each user once, got {twice!r} twice"
        )
    if not inputs:
        raise DataError(f"{shown(folder)}: must hold users with examples, got none")
    kinds = {
        (x.dtype == np.int32, x.shape[1:], y.dtype.kind) for x, y in zip(inputs, labels)
    }
    if len(kinds) > 1:
        (text, one, _), (also, other, _) = sorted(kinds)[:2]
        raise DataError(
            f"{shown(folder)}: all users must have examples of one kind and length, got "
            f"{_KINDS[text]}{[*one]} and {_KINDS[also]}{[*other]}"
        )
    whose = np.repeat(np.array(users), [len(y) for y in labels])
    return inputs, np.concatenate(labels), whose


def _read(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each user with examples, with them."""
    data = read_named(path)
    try:
        held = json.loads(data)
        for user in held["users"]:
            x, y = held["user_data"][user]["x"], held["user_data"][user]["y"]
            if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
                raise ValueError(f"x and y of {user[:NAME_LETTERS]!r} of two lengths")
            if x:
                yield user, _inputs(x), _labels(y)
    except (
        Exception
    ) as error:  # any layout may be there, and json goes as deep as it can
        raise DataError(
            f"{shown(path)}: must be LEAF's JSON of users, with user_data of x and y, got "
            f"{shown(_told(error))}"
        ) from error


def _told(error: Exception) -> str:
    return f"no {reason(error)}" if isinstance(error, KeyError) else reason(error)


def _inputs(x: list[Any]) -> np.ndarray:
    """Text of one length as i32[n, t], lists of numbers as f32[n, ...]."""
    if all(isinstance(item, str) for item in x):
        if len({len(item) for item in x}) > 1 or not x[0]:
            raise ValueError("text of several lengths, or of none")
        return tokens("".join(x)).reshape(len(x), -1)
    if not all(isinstance(item, list) for item in x):
        raise ValueError("an x that is neither text nor a list of numbers")
    array = np.array(x)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"an x of {array.dtype}, which is no list of numbers")
    square = array.shape[1:] == (SQUARE,)
    return as_bytes(
        array.astype(np.float32).reshape((-1, 28, 28) if square else array.shape)
    )


def _labels(y: list[Any]) -> np.ndarray:
    """Integers[n], floats[n], or single characters[n]."""
    array = np.array(y)
    if (
        array.ndim != 1
        or array.dtype.kind not in "iuf"
        and array.dtype != np.dtype("U1")
    ):
        raise ValueError(f"a y of {array.dtype}{list(array.shape)}")
    return array


def _classes(labels: np.ndarray) -> np.ndarray:
    return tokens("".join(labels)) if labels.dtype.kind == "U" else labels
