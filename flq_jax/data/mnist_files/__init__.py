"""MNIST, shipped with the package.

70000 images of handwritten digits, 28 x 28, by Y. LeCun, C. Cortes and C. J. C. Burges;
licence CC BY-SA 3.0, see the README beside this file.
"""

import os
from pathlib import Path

from flq_jax.data.dataset import Dataset
from flq_jax.data.files import load_idx
from flq_jax.data.reading import require_path

# Of each file as unpacked.
SHA256 = {
    "train-images-idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}


def mnist(folder: str | os.PathLike = "") -> Dataset:
    """MNIST in the order of its files: u8[60000, 28, 28] and u8[10000, 28, 28].

    Args:
        folder: holds the four IDX files, plain or .gz; empty: those of the package.

    Raises:
        DataError: if a file is missing or its SHA-256 is not the known one.
    """
    require_path("mnist", folder)
    folder = folder or Path(__file__).parent
    return load_idx("mnist", folder, sha256=SHA256, num_classes=10)
