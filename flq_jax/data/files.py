"""A folder of files as a data set: four IDX files, or one npz file."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.data.errors import DataError
from flq_jax.data.idx import read_idx
from flq_jax.data.npz import read_arrays
from flq_jax.data.reading import exists, opened, reason, require_path, shown

# The standard names, with the number of dimensions of each.
IDX_FILES = {
    "train-images-idx3-ubyte": 3,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 1,
}
NPZ_ARRAYS = ("train_inputs", "train_labels", "test_inputs", "test_labels")
# Whose each example is: an array under one of its names, or none.
USERS = {
    "train_users": ("train_users", "train_clients"),
    "test_users": ("test_users", "test_clients"),
}


def load_idx(
    name: str,
    folder: str | os.PathLike,
    *,
    sha256: Mapping[str, str] | None = None,
    num_classes: int | None = None,
) -> Dataset:
    """Reads the four IDX files of `folder`, each plain or with the ending .gz.

    Args:
        name: the data set's name.
        folder: holds every file of `IDX_FILES`; a plain one is preferred.
        sha256: file name without .gz -> hex digest as unpacked; None: no check.
        num_classes: see `make_dataset`.

    Raises:
        DataError: see `read_idx` and `make_dataset`.
    """

    def read(file):
        path, digest = _plain_or_gz(folder, file), (sha256 or {}).get(file)
        return read_idx(path, ndim=IDX_FILES[file], sha256=digest)

    with ThreadPoolExecutor() as pool:  # zlib and hashlib let each other run
        arrays = list(pool.map(read, IDX_FILES))
    return make_dataset(name, *arrays, num_classes=num_classes, source=str(folder))


def load_npz(name: str, path: str | os.PathLike) -> Dataset:
    """Reads the arrays `NPZ_ARRAYS` of a numpy archive, and those of `USERS` if there.

    Pickles are refused.

    Raises:
        DataError: for a file that is missing, broken, or lacks one of the arrays, or
            names users twice; see also `make_dataset`.
    """
    names = [name for names in USERS.values() for name in names]
    try:
        with opened(path) as file:
            arrays = read_arrays(file, NPZ_ARRAYS, optional=names)
    except Exception as error:  # see `read_arrays`
        raise DataError(
            f"{shown(path)}: must be an intact npz file with {', '.join(NPZ_ARRAYS)}, "
            f"got {reason(error)}"
        ) from error
    users = []
    for names in USERS.values():
        if len(there := [name for name in names if name in arrays]) > 1:
            raise DataError(f"{path}: must hold one of {' and '.join(there)}, got both")
        users.append(arrays[there[0]] if there else None)
    four = [arrays[array] for array in NPZ_ARRAYS]
    train, test = users
    return make_dataset(
        name, *four, source=str(path), train_users=train, test_users=test
    )


def idx(folder: str | os.PathLike) -> Dataset:
    """The data set of a folder's four IDX files, by the folder's name, see `load_idx`.

    Args:
        folder: the files are named as those of MNIST, each plain or with the ending .gz.

    Raises:
        DataError: it is no path, or a file is missing or damaged.
    """
    require_path("idx", folder)
    return load_idx(Path(folder).absolute().name, folder)


def npz(path: str | os.PathLike) -> Dataset:
    """The data set of a numpy archive, by the file's name, see `load_npz`.

    Args:
        path: with the arrays train_inputs [n, ...], train_labels [n], test_inputs and
            test_labels, and train_users [n] where examples have users.

    Raises:
        DataError: it is no path, or the file is missing, damaged or lacks an array.
    """
    require_path("npz", path)
    return load_npz(Path(path).stem, path)


def load_folder(name: str, folder: str | os.PathLike) -> Dataset:
    """Reads `folder`/`name`.npz if there is one, else the folder's IDX files.

    Raises:
        DataError: if there is neither; see also `load_npz` and `load_idx`.
    """
    npz = Path(folder, f"{name}.npz")
    if exists(npz):
        return load_npz(name, npz)
    if not any(exists(_plain_or_gz(folder, file)) for file in IDX_FILES):
        raise DataError(
            f"{folder}: must hold {name}.npz or {', '.join(IDX_FILES)} (plain or .gz), "
            "got none of them"
        )
    return load_idx(name, folder)


def _plain_or_gz(folder: str | os.PathLike, file: str) -> Path:
    plain = Path(folder, file)
    return plain if exists(plain) else Path(folder, f"{file}.gz")
