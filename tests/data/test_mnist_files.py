"""The shipped MNIST is the known one, and damage to a copy of it is noticed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from flq_jax.data import DataError, mnist, mnist_files
from flq_jax.data.files import IDX_FILES

SHIPPED = Path(mnist_files.__file__).parent


@pytest.fixture(scope="module")
def data():
    return mnist()


@pytest.fixture
def copy(tmp_path):
    for file in IDX_FILES:
        shutil.copy(SHIPPED / f"{file}.gz", tmp_path)
    return tmp_path


def test_shapes_and_types(data):
    assert data.train_inputs.shape == (60000, 28, 28)
    assert data.test_inputs.shape == (10000, 28, 28)
    assert data.train_inputs.dtype == data.test_inputs.dtype == np.uint8
    assert data.train_labels.shape == (60000,)
    assert data.test_labels.shape == (10000,)
    assert (data.name, data.num_classes) == ("mnist", 10)


def test_a_copy_is_the_same_data_set(data, copy):
    assert mnist(copy).digest == data.digest


def test_every_file_has_a_known_hash_that_the_readme_states():
    assert list(mnist_files.SHA256) == list(IDX_FILES)
    rows = (SHIPPED / "README.md").read_text().splitlines()
    for file, sha256 in mnist_files.SHA256.items():
        assert f"| {file} | {sha256} |" in rows


def test_a_changed_label_is_noticed(copy):
    """Its range is right and gzip's checksum too: only the hash can tell."""
    file = "t10k-labels-idx1-ubyte"
    plain = mnist(copy).test_labels.astype(np.uint8)
    plain[0] = (plain[0] + 1) % 10
    header = b"\0\0\x08\x01" + len(plain).to_bytes(4, "big")
    (copy / file).write_bytes(header + plain.tobytes())
    with pytest.raises(DataError, match=f"{file}: unpacked SHA-256"):
        mnist(copy)


def test_a_missing_file_is_named(copy):
    (copy / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="train-labels-idx1-ubyte.gz: .*readable"):
        mnist(copy)
