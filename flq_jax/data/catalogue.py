"""Data sets by name."""

import os

from flq_jax.data.dataset import Dataset
from flq_jax.data.errors import DataError
from flq_jax.data.files import load_folder
from flq_jax.data.mnist_files import mnist
from flq_jax.data.synthetic import synthetic

# Those that need no folder.
CATALOGUE = {"mnist": mnist, "synthetic": synthetic}


def load(name: str, folder: str | os.PathLike = "") -> Dataset:
    """The data set called `name`.

    Args:
        name: "mnist" (shipped), "synthetic" (made), or any other name if there is a
            folder to read it from.
        folder: holds `name`.npz, or four IDX files under MNIST's names; empty: none.
            "mnist" is read from IDX files alone, whose SHA-256 is known; "synthetic"
            is never read.

    Raises:
        DataError: for an unknown name without a folder, and for files that are missing,
            damaged, or do not fit each other.
    """
    folder = os.fspath(folder)
    if not folder and name not in CATALOGUE:
        raise DataError(
            f"data: name must be one of {', '.join(CATALOGUE)} where no folder is "
            f"given, got {name=}"
        )
    if not folder:
        return CATALOGUE[name]()
    if name == "synthetic":
        raise DataError(
            f"data: synthetic is made, not read, and must have no folder, got {folder=}"
        )
    if name == "mnist":
        return mnist(folder)
    return load_folder(name, folder)
