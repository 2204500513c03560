"""CIFAR-10 and CIFAR-100, in the forms that their authors publish.

60000 photographs, 32 x 32 in three colours (Krizhevsky, "Learning Multiple Layers of
Features from Tiny Images", 2009).

    python    one pickle a batch: a dict of "data", u8[n, 3072], and lists of labels
    binary    records of one label (CIFAR-100: coarse and fine) and 3072 bytes

The 3072 bytes are the red, then the green, then the blue plane.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flq_jax.data.archives import read_all
from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.data.errors import DataError
from flq_jax.data.fetching import Source, place
from flq_jax.data.pickles import read_pickle
from flq_jax.data.reading import reason, shown

SIDE = 32
PIXELS = 3 * SIDE * SIDE
HOME = "https://www.cs.toronto.edu/~kriz"


class Form(NamedTuple):
    """A folder of files and the archive that it comes in.

    Attributes:
        folder: its name.
        archive: file name.
        train: files of training examples, in their order.
        test: file of test examples.
        labels: by what each example is labelled: keys of a pickle, bytes of a record.
    """

    folder: str
    archive: str
    train: tuple[str, ...]
    test: str
    labels: tuple[str, ...]


BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
CIFAR10 = (
    Form("cifar-10-batches-py", "cifar-10-python.tar.gz", BATCHES, "test_batch",
         ("labels",)),
    Form("cifar-10-batches-bin", "cifar-10-binary.tar.gz",
         tuple(f"{name}.bin" for name in BATCHES), "test_batch.bin", ("labels",)),
)  # fmt: skip
BOTH = ("coarse_labels", "fine_labels")
CIFAR100 = (
    Form("cifar-100-python", "cifar-100-python.tar.gz", ("train",), "test", BOTH),
    Form(
        "cifar-100-binary", "cifar-100-binary.tar.gz", ("train.bin",), "test.bin", BOTH
    ),
)
# SHA-256 as Keras has them.
SOURCE10 = Source(
    "cifar-10-python.tar.gz",
    170_498_071,
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    f"{HOME}/cifar-10-python.tar.gz",
)
SOURCE100 = Source(
    "cifar-100-python.tar.gz",
    169_001_437,
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    f"{HOME}/cifar-100-python.tar.gz",
)


def cifar10(folder: str | os.PathLike = "") -> Dataset:
    """CIFAR-10: u8[50000, 32, 32, 3] and u8[10000, 32, 32, 3], 10 classes.

    Args:
        folder: holds the files of either form, in it or in their own folder there, or
            one of the archives; any number of images of that layout. Empty: the cache,
            to which the archive is fetched (170 MB).

    Raises:
        DataError: files are missing, broken or not to be had.
    """
    return _read("cifar10", place("cifar10", folder, [SOURCE10]), CIFAR10, "labels", 10)


def cifar100(folder: str | os.PathLike = "", *, coarse: bool = False) -> Dataset:
    """CIFAR-100: u8[50000, 32, 32, 3] and u8[10000, 32, 32, 3], 100 classes.

    Args:
        folder: as of `cifar10` (169 MB).
        coarse: whether the labels are the 20 superclasses; ValueError if it is no bool.

    Raises:
        DataError: files are missing, broken or not to be had.
    """
    if type(coarse) is not bool:
        raise ValueError(f"cifar100: coarse must be True or False, got {coarse=}")
    key, classes = ("coarse_labels", 20) if coarse else ("fine_labels", 100)
    where = place("cifar100", folder, [SOURCE100])
    return _read("cifar100", where, CIFAR100, key, classes)


def _read(name: str, folder: Path, forms, key: str, num_classes: int) -> Dataset:
    for form in forms:
        places = folder, folder / form.folder
        files = read_all(places, folder / form.archive, [*form.train, form.test])
        if files is not None:
            break
    else:
        known = " or ".join(f"{form.folder} or {form.archive}" for form in forms)
        raise DataError(f"{shown(folder)}: must hold {known}, got none of them")
    read = _binary if form.test.endswith(".bin") else _pickled
    batches = {
        file: read(f"{shown(folder)}: {file}", data, form.labels, key)
        for file, data in files.items()
    }
    inputs, labels = zip(*(batches[file] for file in form.train))
    train = np.concatenate(inputs), np.concatenate(labels)
    return make_dataset(
        name, *train, *batches[form.test], num_classes=num_classes, source=shown(folder)
    )


def _pickled(where: str, data: bytes, labels: tuple[str, ...], key: str):
    try:
        batch = read_pickle(data)
        return _images(batch["data"]), _classes(batch[key])
    except Exception as error:  # see `read_pickle`
        raise DataError(
            f"{where}: must be a pickle of data, uint8[n, {PIXELS}], and {key}, got "
            f"{shown(reason(error))}"
        ) from error


def _classes(labels) -> np.ndarray:
    """Integers[n] of a list or an array; a list of lists may be of any size."""
    if isinstance(labels, list) and any(type(label) is not int for label in labels):
        raise ValueError("labels that are not all integers")
    found = np.asarray(labels)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ValueError(f"labels {found.dtype}{list(found.shape)}")
    return found


def _binary(where: str, data: bytes, labels: tuple[str, ...], key: str):
    length = len(labels) + PIXELS
    if not data or len(data) % length:
        raise DataError(
            f"{where}: must be records of {length} bytes, got {len(data)} bytes"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, length)
    classes = records[:, labels.index(key)]
    return _images(records[:, len(labels) :]), classes.astype(np.int32)


def _images(planes: np.ndarray) -> np.ndarray:
    """u8[n, 3072], plane by plane, as u8[n, 32, 32, 3]."""
    if planes.dtype != np.uint8 or planes.shape[1:] != (PIXELS,):
        raise ValueError(f"data {planes.dtype}{list(planes.shape)}")
    images = planes.reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(np.moveaxis(images, 1, -1))
