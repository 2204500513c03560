"""Data sets by name."""

import numpy as np
import pytest

from flq_jax.data import CATALOGUE, DataError, load, synthetic


def test_every_listed_name_needs_no_folder():
    for name in CATALOGUE:
        data = load(name)
        assert data.name == name
        assert data.train_inputs.shape[1:] == (28, 28)


def test_another_name_is_read_from_its_folder(tmp_path):
    made = synthetic(train=20, test=10)
    np.savez(tmp_path / "own.npz", **dict(zip(made._fields, made[:4])))
    for folder in tmp_path, str(tmp_path):
        data = load("own", folder)
        assert (data.name, data.digest) == ("own", made.digest)


def test_mnist_of_a_folder_is_held_to_its_hashes(tmp_path):
    made = synthetic(train=20, test=10)
    for file, array in {
        "train-images-idx3-ubyte": made.train_inputs,
        "train-labels-idx1-ubyte": made.train_labels,
        "t10k-images-idx3-ubyte": made.test_inputs,
        "t10k-labels-idx1-ubyte": made.test_labels,
    }.items():
        shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
        data = bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()
        (tmp_path / file).write_bytes(data)
    assert load("own", tmp_path).digest == made.digest
    with pytest.raises(DataError, match="train-images-idx3-ubyte: unpacked SHA-256"):
        load("mnist", tmp_path)


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(DataError, match="mnist, synthetic.*got name='cifar'"):
        load("cifar")


def test_synthetic_is_not_read(tmp_path):
    with pytest.raises(DataError, match="synthetic is made.*folder='"):
        load("synthetic", tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}/absent: must hold own.npz"):
        load("own", tmp_path / "absent")
