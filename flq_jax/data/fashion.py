"""Fashion-MNIST, from Debian's package or as its authors publish it.

70000 grey images of clothes, 28 x 28, in ten classes (Xiao, Rasul and Vollgraf 2017,
arXiv:1708.07747); licence MIT.
"""

import os

from flq_jax.data.dataset import Dataset
from flq_jax.data.fetching import Source, place
from flq_jax.data.files import load_idx

SYSTEM = "/usr/share/datasets/fashion-mnist"  # of Debian's dataset-fashion-mnist
HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
# Of each file as unpacked. Debian's files are the authors' without the name and time in
# their gzip headers: with these put back, the SHA-256 is that of `SOURCES`.
SHA256 = {
    "train-images-idx3-ubyte": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "train-labels-idx1-ubyte": (
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    "t10k-images-idx3-ubyte": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    "t10k-labels-idx1-ubyte": (
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
}
# Packed: (bytes, SHA-256), as public loaders pin them.
PACKED = {
    "train-images-idx3-ubyte.gz": (
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    "train-labels-idx1-ubyte.gz": (
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    "t10k-images-idx3-ubyte.gz": (
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
}
# In the cache they would be taken for MNIST's, whose files are called the same.
SOURCES = [
    Source(f"fashion-mnist/{file}", num_bytes, sha256, f"{HOME}/{file}")
    for file, (num_bytes, sha256) in PACKED.items()
]


def fashion_mnist(folder: str | os.PathLike = "") -> Dataset:
    """Fashion-MNIST in the order of its files: u8[60000, 28, 28] and u8[10000, 28, 28].

    Args:
        folder: holds the four IDX files, plain or .gz, whose SHA-256 is known. Empty:
            where Debian's package dataset-fashion-mnist puts them, else the cache, to
            which they are fetched (31 MB).

    Raises:
        DataError: a file is missing, has another SHA-256, or is not to be had.
    """
    where = place("fashion_mnist", folder, SOURCES, SYSTEM)
    return load_idx("fashion_mnist", where, sha256=SHA256, num_classes=10)
