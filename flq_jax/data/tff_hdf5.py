"""TensorFlow Federated's HDF5: examples by client, one file for each half.

    NAME_train.h5, NAME_test.h5    group "examples", in it a group for each client:
        pixels f32[n, 28, 28], label i32[n]            Federated EMNIST
        image u8[n, 32, 32, 3], label i64[n]           Federated CIFAR-100
        snippets bytes[n]                              Shakespeare

The HDF5 library is written in C for files one trusts: a damaged one is told in a line as
far as the library tells it, and links out of the file are refused; but where files may be
anybody's, use LEAF's JSON or npz.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flq_jax.data.archives import unpacked
from flq_jax.data.characters import ALPHABET, windows
from flq_jax.data.dataset import Dataset, make_dataset
from flq_jax.data.errors import DataError
from flq_jax.data.fetching import Source, cached
from flq_jax.data.inputs import as_bytes, joined
from flq_jax.data.leaf_json import leaf
from flq_jax.data.npz import MOST_RATIO
from flq_jax.data.reading import opened, reason, require_memory, require_path, shown

CONTEXT = 80  # characters of a piece of text
# As TensorFlow Federated has it.
SOURCE = Source(
    "fed_emnist.tar.bz2",
    0,
    "fe1ed5a502cea3a952eb105920bff8cffb32836b5173cb18a57a32c3606f3ea0",
    "https://storage.googleapis.com/tff-datasets-public/fed_emnist.tar.bz2",
)
FILES = ("fed_emnist_train.h5", "fed_emnist_test.h5")


def femnist(folder: str | os.PathLike = "") -> Dataset:
    """Federated EMNIST: characters by their writers, u8[n, 28, 28], 62 classes.

    3400 writers with 671585 training and 77483 test examples, as TensorFlow Federated has
    them. Paper is white, 255, and ink dark, other than in MNIST.

    Args:
        folder: holds LEAF's folders `train` and `test`, or TensorFlow Federated's two
            files (which takes h5py). Empty: the cache, to which the latter are fetched.

    Raises:
        DataError: files are missing, broken or not to be had.
    """
    require_path("femnist", folder)
    if not os.fspath(folder):
        archive = cached("femnist", SOURCE)
        folder = unpacked(archive, FILES, archive.parent / "fed_emnist")
    elif Path(folder, "train").is_dir():
        return leaf(folder, name="femnist", num_classes=62)
    return tff(folder, name="femnist", num_classes=62)


def tff(
    folder: str | os.PathLike, *, name: str = "tff", num_classes: int | None = None
) -> Dataset:
    """The examples of TensorFlow Federated's two files, with their clients.

    Images whose pixels are all 255ths are kept as bytes. A client's snippets are joined by
    newlines and cut as `characters.windows` does, into 80 characters each.

    Args:
        folder: holds one file *_train.h5 and one *_test.h5.
        name: the data set's.
        num_classes: K; None: see `make_dataset`; of characters 80.

    Raises:
        DataError: h5py is not installed, a file is missing, broken or of another layout;
            see also `make_dataset`.
    """
    require_path("tff", folder)
    train, test = (_half(_only(Path(folder), half)) for half in ("train", "test"))
    if num_classes is None and train[0][0].dtype == np.int32:
        num_classes = len(ALPHABET)
    inputs = joined(train[0], test[0])
    return make_dataset(
        name,
        inputs[0],
        train[1],
        inputs[1],
        test[1],
        num_classes=num_classes,
        source=shown(folder),
        train_users=train[2],
        test_users=test[2],
    )


def _only(folder: Path, half: str) -> Path:
    """The one file of that half."""
    try:
        found = [path for path in folder.iterdir() if path.name.endswith(f"_{half}.h5")]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{shown(folder)}: must be a folder of *_train.h5 and *_test.h5, got "
            f"{reason(error)}"
        ) from error
    if len(found) != 1:
        raise DataError(f"{shown(folder)}: must hold one *_{half}.h5, got {len(found)}")
    return found[0]


def _half(path: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Inputs of each client, all labels and clients of a file."""
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            f"{shown(path)}: is read by h5py, `pip install h5py`, got {reason(error)}"
        ) from error
    inputs, labels, users = [], [], []
    try:
        opened(path).close()  # which waits for no FIFO
        with h5py.File(path, "r") as file:
            for client, x, y in _clients(file, h5py):
                inputs.append(x)
                labels.append(y)
                users.append(client)
        if not users:
            raise ValueError("no client with examples")
        if len(shapes := {x.shape[1:] for x in inputs}) > 1:
            raise ValueError(f"examples of shapes {' and '.join(map(str, shapes))}")
        whose = np.repeat(np.array(users), [len(y) for y in labels])
        return inputs, np.concatenate(labels), whose
    except DataError:
        raise
    except Exception as error:  # h5py names no closed list
        raise DataError(
            f"{shown(path)}: must be HDF5 of examples by client, got "
            f"{shown(reason(error))}"
        ) from error


def _clients(file, h5py) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each client with examples, with them."""
    total = 0

    def array(group, name):
        nonlocal total
        data = _inside(group, name, h5py)
        if data.external or data.is_virtual:
            raise ValueError(f"{name} in another file")
        if data.nbytes > MOST_RATIO * data.id.get_storage_size():
            raise ValueError(f"{name} of {data.nbytes} bytes that are not there")
        total += data.nbytes
        require_memory(shown(file.filename), total)
        return data[()]

    examples = _inside(file, "examples", h5py)
    for client in examples:
        group = _inside(examples, client, h5py)
        if "snippets" in group:
            x, y = _pieces(array(group, "snippets"))
        else:
            key = "image" if "image" in group else "pixels"
            x, y = as_bytes(array(group, key)), array(group, "label")
            if len(x) != len(y):
                raise ValueError(f"{len(x)} images and {len(y)} labels of one client")
        if len(x):
            yield client, x, y


def _inside(group, name: str, h5py):
    """What lies there, in this very file."""
    link = group.get(name, getlink=True)
    if type(link) is not h5py.HardLink:
        raise ValueError(f"no {name}" if link is None else f"{name} as a link")
    return group[name]


def _pieces(snippets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    text = "".join(f"{snippet.decode('latin1')}\n" for snippet in snippets)
    return windows(text, CONTEXT)
