"""CIFAR of a folder: every pixel where it belongs, in both forms and from archives."""

import os
import pickle
import tarfile

import hostile
import numpy as np
import pytest

from flq_jax.data import DataError
from flq_jax.data.cifar import BATCHES, CIFAR10, CIFAR100, cifar10, cifar100

RNG = np.random.default_rng(0)
N = 3  # images a file


def images(count):
    return RNG.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


# file without its ending -> (images, coarse labels, fine labels)
SMALL10 = {
    name: (images(N), None, np.arange(N) + i)
    for i, name in enumerate((*BATCHES, "test_batch"))
}
SMALL100 = {
    name: (images(N), np.array([0, 19, 7]), np.array([99, 0, 50]))
    for name in ("train", "test")
}


def planes(pixels):
    """Red, then green, then blue, row by row: u8[n, 3072]."""
    return np.stack([pixels[..., c].reshape(len(pixels), -1) for c in range(3)], 1)


def pickled(pixels, coarse, fine):
    data = {"data": planes(pixels).reshape(-1, 3072), "batch_label": "batch"}
    if coarse is None:
        return pickle.dumps(data | {"labels": fine.tolist()}, 2)
    labels = {"coarse_labels": coarse.tolist(), "fine_labels": fine.tolist()}
    return pickle.dumps(data | labels, 2)


def binary(pixels, coarse, fine):
    return b"".join(
        bytes([*([] if coarse is None else [coarse[i]]), fine[i]])
        + planes(pixels)[i].tobytes()
        for i in range(len(pixels))
    )


def write(folder, files, form):
    ending, packed = (".bin", binary) if "bin" in form.folder else ("", pickled)
    folder.mkdir(exist_ok=True)
    for name, contents in files.items():
        (folder / f"{name}{ending}").write_bytes(packed(*contents))
    return folder


def is_small10(data):
    pixels, _, labels = zip(*(SMALL10[name] for name in BATCHES))
    np.testing.assert_array_equal(data.train_inputs, np.concatenate(pixels))
    np.testing.assert_array_equal(data.train_labels, np.concatenate(labels))
    np.testing.assert_array_equal(data.test_inputs, SMALL10["test_batch"][0])
    np.testing.assert_array_equal(data.test_labels, SMALL10["test_batch"][2])
    assert (data.name, data.num_classes) == ("cifar10", 10)
    assert data.train_inputs.dtype == np.uint8 and data.train_users is None


@pytest.mark.parametrize("form", CIFAR10, ids=["python", "binary"])
@pytest.mark.parametrize("inside", [True, False])
def test_cifar10_is_read_in_both_forms(form, inside, tmp_path):
    write(tmp_path / form.folder, SMALL10, form)
    is_small10(cifar10(tmp_path if inside else tmp_path / form.folder))


@pytest.mark.parametrize("form", CIFAR10, ids=["python", "binary"])
def test_cifar10_is_read_from_its_archives(form, tmp_path):
    folder = write(tmp_path / "made", SMALL10, form)
    with tarfile.open(tmp_path / form.archive, "w:gz") as archive:
        archive.add(folder, form.folder)
    is_small10(cifar10(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(["made", form.archive])


@pytest.mark.parametrize("form", CIFAR100, ids=["python", "binary"])
def test_cifar100_has_fine_and_coarse_labels(form, tmp_path):
    write(tmp_path / form.folder, SMALL100, form)
    fine, coarse = cifar100(tmp_path), cifar100(tmp_path, coarse=True)
    assert (fine.num_classes, coarse.num_classes) == (100, 20)
    assert fine.train_labels.tolist() == [99, 0, 50]
    assert coarse.test_labels.tolist() == [0, 19, 7]
    np.testing.assert_array_equal(fine.train_inputs, SMALL100["train"][0])
    np.testing.assert_array_equal(coarse.test_inputs, SMALL100["test"][0])


def test_labels_are_coarse_or_not(tmp_path):
    with pytest.raises(ValueError, match="cifar100: coarse must be True or.*coarse=1"):
        cifar100(tmp_path, coarse=1)


def test_a_folder_without_any_of_them_says_what_it_must_hold(tmp_path):
    match = "cifar-10-python.tar.gz or cifar-10-batches-bin or .*got none of them"
    with pytest.raises(DataError, match=match):
        cifar10(tmp_path)
    with pytest.raises(DataError, match="must hold cifar-100-python or"):
        cifar100(tmp_path / "absent")


def test_a_missing_batch_is_named(tmp_path):
    write(tmp_path, SMALL10, CIFAR10[0])
    (tmp_path / "data_batch_3").unlink()
    with pytest.raises(DataError, match="data_batch_3: must be a readable file"):
        cifar10(tmp_path)


def bomb():
    """Lists of lists that NumPy would make 10**12 numbers of."""
    labels = [0] * 1000
    for _ in range(3):
        labels = [labels] * 1000
    return pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": labels}, 2)


ONE = np.zeros((1, 3072), np.uint8)
BROKEN = {
    "no labels": (pickle.dumps({"data": ONE}, 2), "got 'labels'"),
    "no images": (pickle.dumps({"labels": [1]}, 2), "got 'data'"),
    "floats": (
        pickle.dumps({"data": ONE / 1.0, "labels": [1]}, 2),
        r"got data float64\[1, 3072\]",
    ),
    "other pixels": (
        pickle.dumps({"data": ONE[:, :9], "labels": [1]}, 2),
        r"got data uint8\[1, 9\]",
    ),
    "text": (
        pickle.dumps({"data": ONE, "labels": ["1"]}, 2),
        "labels that are not all integers",
    ),
    "a bomb": (bomb(), "labels that are not all integers"),
    "a program": (b"\x80\x02cos\nsystem\nU\x02ls\x85R.", "a pickle of os system"),
}


@pytest.mark.parametrize("data, match", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_batch_is_named_in_a_line(data, match, tmp_path):
    write(tmp_path, SMALL10, CIFAR10[0])
    (tmp_path / "data_batch_2").write_bytes(data)
    with pytest.raises(DataError, match=f"data_batch_2: must be a pickle.*{match}"):
        cifar10(tmp_path)


def test_records_that_break_off_and_labels_out_of_range_are_refused(tmp_path):
    write(tmp_path, SMALL10, CIFAR10[1])
    path = tmp_path / "data_batch_1.bin"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    with pytest.raises(
        DataError, match="must be records of 3073 bytes, got 9218 bytes"
    ):
        cifar10(tmp_path)
    path.write_bytes(b"\x0a" + good[1:])
    with pytest.raises(DataError, match="must be in 0..9, got labels from 1 to 10"):
        cifar10(tmp_path)


@pytest.mark.parametrize("count", [100, pytest.param(5_000, marks=pytest.mark.repro)])
def test_damaged_batches_are_data_errors_or_images(count, tmp_path):
    rng = np.random.default_rng(0)
    write(tmp_path, SMALL100, CIFAR100[0])
    good = (tmp_path / "test").read_bytes()
    for _ in range(count):
        (tmp_path / "test").write_bytes(hostile.damaged(good, rng))
        try:
            assert cifar100(tmp_path).test_inputs.dtype == np.uint8
        except DataError as error:
            assert "\n" not in str(error)
