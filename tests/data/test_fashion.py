"""Fashion-MNIST is the published one, wherever its files lie."""

import gzip
import hashlib
import pathlib

import numpy as np
import pytest

from flq_jax.data import DataError, fashion, fashion_mnist
from flq_jax.data.files import IDX_FILES


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A folder of four small files, which are then the known ones."""
    arrays = {
        "train-images-idx3-ubyte": np.arange(24, dtype=np.uint8).reshape(6, 2, 2),
        "train-labels-idx1-ubyte": np.arange(6, dtype=np.uint8),
        "t10k-images-idx3-ubyte": np.zeros((2, 2, 2), np.uint8),
        "t10k-labels-idx1-ubyte": np.array([9, 0], np.uint8),
    }
    known = {}
    for file, array in arrays.items():
        shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
        data = bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()
        known[file] = hashlib.sha256(data).hexdigest()
        (tmp_path / f"{file}.gz").write_bytes(gzip.compress(data))
    monkeypatch.setattr(fashion, "SHA256", known)
    return tmp_path


def test_a_given_folder_is_read_and_held_to_its_hashes(made, monkeypatch):
    data = fashion_mnist(made)
    assert (data.name, data.num_classes) == ("fashion_mnist", 10)
    assert data.train_inputs.tolist() == np.arange(24).reshape(6, 2, 2).tolist()
    assert data.test_labels.tolist() == [9, 0]
    monkeypatch.undo()
    with pytest.raises(DataError, match="unpacked SHA-256 must be c59f468a2f67"):
        fashion_mnist(made)


def test_the_system_s_folder_is_read_where_none_is_given(made, monkeypatch):
    monkeypatch.setattr(fashion, "SYSTEM", str(made))
    assert fashion_mnist().digest == fashion_mnist(made).digest


def test_every_file_has_both_hashes_and_an_address():
    assert list(fashion.SHA256) == list(IDX_FILES)
    assert [name.removesuffix(".gz") for name in fashion.PACKED] == list(IDX_FILES)
    for source in fashion.SOURCES:
        assert source.url.endswith(source.file.rpartition("/")[2])
        assert len(source.sha256) == 64


def test_debian_s_files_are_the_published_ones():
    """The mean of its pixels is 0.2860, as every list of normalisations has it."""
    if not pathlib.Path(fashion.SYSTEM).is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    data = fashion_mnist()
    assert data.train_inputs.shape == (60000, 28, 28)
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    assert abs(data.train_inputs.mean() / 255 - 0.2860) < 5e-5
