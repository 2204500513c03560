"""TensorFlow Federated's HDF5: every example is its client's, and no link is followed."""

import hashlib
import json
import os
import sys
import tarfile

import hostile
import numpy as np
import pytest

from flq_jax.data import DataError, femnist, leaf, tff, tff_hdf5
from flq_jax.data.characters import tokens

h5py = pytest.importorskip("h5py")

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 28, 28), dtype=np.uint8)
TRAIN = {"f1": ([0, 1], [61, 2]), "f0": ([2], [7])}
TEST = {"f1": ([3], [4]), "f2": ([4, 5], [0, 1])}


def write(path, clients):
    """A file as TFF wrote them: packed f32 pixels of 0..1 and i32 labels."""
    with h5py.File(path, "w") as file:
        for client, arrays in clients.items():
            group = file.create_group(f"examples/{client}")
            for name, array in arrays.items():
                packed = {"compression": "gzip"} if array.ndim > 1 else {}
                group.create_dataset(name, data=array, **packed)


def images(clients):
    return {
        client: {
            "pixels": (PIXELS[rows] / 255).astype("f4"),
            "label": np.array(labels, "i4"),
        }
        for client, (rows, labels) in clients.items()
    }


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "fed_emnist_train.h5", images(TRAIN))
    write(tmp_path / "fed_emnist_test.h5", images(TEST))
    return tmp_path


def test_images_are_bytes_with_their_clients(folder):
    data = tff(folder)
    np.testing.assert_array_equal(data.train_inputs, PIXELS[[2, 0, 1]])
    np.testing.assert_array_equal(data.test_inputs, PIXELS[3:])
    assert data.train_labels.tolist() == [7, 61, 2]
    assert data.train_users.tolist() == [0, 1, 1]
    assert data.test_users.tolist() == [1, 2, 2]
    assert (data.num_classes, data.name) == (62, "tff")


def test_femnist_reads_either_layout(folder):
    data = femnist(folder)
    assert (data.name, data.num_classes) == ("femnist", 62)
    assert data.digest == tff(folder).digest
    for half, users in ("train", TRAIN), ("test", TEST):
        (folder / half).mkdir()
        held = {
            user: {"x": (PIXELS[rows].reshape(-1, 784) / 255).tolist(), "y": labels}
            for user, (rows, labels) in sorted(users.items())
        }
        text = {"users": list(held), "user_data": held}
        (folder / half / "all_data.json").write_text(json.dumps(text))
    assert femnist(folder).digest == data.digest == leaf(folder, num_classes=62).digest


def test_colour_images_and_long_labels_are_read(tmp_path):
    image = RNG.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    held = {
        "0": {"image": image, "label": np.array([3, 99]), "coarse_label": np.ones(2)}
    }
    for half in "train", "test":
        write(tmp_path / f"fed_cifar100_{half}.h5", held)
    data = tff(tmp_path, num_classes=100)
    np.testing.assert_array_equal(data.train_inputs, image)
    assert data.test_labels.tolist() == [3, 99] and data.num_classes == 100


def test_snippets_are_pieces_with_a_target_of_each_character(tmp_path):
    first, second = b"To be, or not to be: that is the question" * 2, b"What? " * 30
    held = {"HAMLET": {"snippets": np.array([first, second], object)}}
    held["GHOST"] = {"snippets": np.array([b"Swear."], object)}  # fills no piece
    for half in "train", "test":
        write(tmp_path / f"shakespeare_{half}.h5", held)
    data = tff(tmp_path)
    said = tokens(f"{first.decode()}\n{second.decode()}\n")
    assert data.train_inputs.shape == (3, 80) and data.num_classes == 80
    np.testing.assert_array_equal(data.train_inputs.ravel(), said[:240])
    np.testing.assert_array_equal(data.train_labels.ravel(), said[1:241])
    assert data.train_users.tolist() == [0, 0, 0]


def external(file):
    file["examples/f0/pixels"] = h5py.ExternalLink("/etc/passwd", "pixels")


def soft(file):
    file["examples/f0/pixels"] = h5py.SoftLink("/examples/f1/pixels")


def virtual(file):
    layout = h5py.VirtualLayout((1, 28, 28), "f4")
    layout[:] = h5py.VirtualSource("/other.h5", "pixels", (1, 28, 28))
    file["examples/f0"].create_virtual_dataset("pixels", layout)


def elsewhere(file):
    outside = [("/etc/passwd", 0, 28 * 28 * 4)]
    file["examples/f0"].create_dataset("pixels", (1, 28, 28), "f4", external=outside)


def promising(file):
    chunks = {"chunks": (1, 28, 28), "maxshape": (None, 28, 28)}
    file["examples/f0"].create_dataset("pixels", (2**40, 28, 28), "f4", **chunks)


def fewer(file):
    file["examples/f0/pixels"] = np.zeros((3, 28, 28), "f4")


def smaller(file):
    file["examples/f0/pixels"] = np.zeros((1, 28, 27), "f4")


BROKEN = {
    "smaller": (smaller, "got examples of shapes .*28, 27"),
    "absent": (lambda file: None, "got no pixels"),
    "external": (external, "got pixels as a link"),
    "soft": (soft, "got pixels as a link"),
    "virtual": (virtual, "got pixels in another file"),
    "elsewhere": (elsewhere, "got pixels in another file"),
    "promising": (promising, "got pixels of 3448068464705536 bytes that are not there"),
    "fewer": (fewer, "got 3 images and 1 labels of one client"),
}


@pytest.mark.parametrize("change, match", BROKEN.values(), ids=BROKEN.keys())
def test_what_leads_out_of_the_file_or_is_not_there_is_refused(change, match, folder):
    path = folder / "fed_emnist_train.h5"
    with h5py.File(path, "a") as file:
        del file["examples/f0/pixels"]
        change(file)
    with pytest.raises(DataError, match=f"{path}: must be HDF5 of .*{match}") as error:
        tff(folder)
    assert "\n" not in str(error.value)


def test_files_that_are_no_hdf5_or_not_there_are_told_in_a_line(folder):
    path = folder / "fed_emnist_test.h5"
    good = path.read_bytes()
    for data in b"", b"no HDF5" * 100, good[: len(good) // 2]:
        path.write_bytes(data)
        with pytest.raises(DataError, match=f"{path}: must be HDF5") as error:
            tff(folder)
        assert "\n" not in str(error.value)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="no regular file"):
        tff(folder)
    path.unlink()
    with pytest.raises(DataError, match=r"must hold one \*_test.h5, got 0"):
        tff(folder)
    with pytest.raises(DataError, match="absent: must be a folder of"):
        tff(folder / "absent")


def test_the_archive_of_the_cache_is_unpacked_once(folder, tmp_path, monkeypatch):
    pytest.importorskip("pooch")
    pytest.importorskip("tqdm")
    home = tmp_path / "home"
    cache = home / "flq_jax/data"
    cache.mkdir(parents=True)
    archive = cache / "fed_emnist.tar.bz2"
    with tarfile.open(archive, "w:bz2") as packed:
        for file in tff_hdf5.FILES:
            packed.add(folder / file, file)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(tff_hdf5, "SOURCE", tff_hdf5.SOURCE._replace(sha256=sha256))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    assert femnist().digest == femnist(folder).digest
    times = [
        (cache / "fed_emnist" / file).stat().st_mtime_ns for file in tff_hdf5.FILES
    ]
    assert femnist().digest == femnist(folder).digest
    assert times == [
        (cache / "fed_emnist" / file).stat().st_mtime_ns for file in tff_hdf5.FILES
    ]


def test_without_h5py_a_line_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match="is read by h5py, `pip install h5py`"):
        tff(folder)


@pytest.mark.repro  # in a library that might end the process with it
def test_damaged_files_are_data_errors_or_examples(folder):
    rng = np.random.default_rng(0)
    path = folder / "fed_emnist_train.h5"
    good = path.read_bytes()
    for _ in range(2000):
        path.write_bytes(hostile.damaged(good, rng))
        try:
            assert tff(folder).train_inputs.shape[1:] == (28, 28)
        except DataError as error:
            assert "\n" not in str(error)
