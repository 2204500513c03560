"""A user's own folder: IDX files or an npz file, and what is wrong with it."""

import gzip
import io
import pickle
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flq_jax.data.errors import DataError
from flq_jax.data.files import IDX_FILES, NPZ_ARRAYS, load_folder, load_idx, load_npz

RNG = np.random.default_rng(0)
ARRAYS = (
    RNG.integers(0, 256, (12, 4, 4), dtype=np.uint8),
    np.arange(12, dtype=np.uint8) % 3,
    RNG.integers(0, 256, (6, 4, 4), dtype=np.uint8),
    np.arange(6, dtype=np.uint8) % 3,
)


def write_idx(folder, ending="", arrays=ARRAYS):
    for file, array in zip(IDX_FILES, arrays):
        data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        data += array.tobytes()
        pack = gzip.compress if ending else bytes
        (folder / f"{file}{ending}").write_bytes(pack(data))


def npz_bytes(save=np.savez_compressed, arrays=ARRAYS):
    file = io.BytesIO()
    save(file, **dict(zip(NPZ_ARRAYS, arrays)))
    return file.getvalue()


def assert_is_arrays(data):
    for came, array in zip(data[:4], ARRAYS):
        np.testing.assert_array_equal(came, array)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_are_read(tmp_path, ending):
    write_idx(tmp_path, ending)
    data = load_folder("own", tmp_path)
    assert_is_arrays(data)
    assert (data.name, data.num_classes) == ("own", 3)


def test_idx_and_npz_of_the_same_arrays_have_one_digest(tmp_path):
    write_idx(tmp_path)
    (tmp_path / "own.npz").write_bytes(npz_bytes())
    assert load_idx("own", tmp_path).digest == load_folder("own", tmp_path).digest


def test_a_plain_file_is_preferred(tmp_path):
    write_idx(tmp_path)
    write_idx(tmp_path, ".gz", [np.zeros_like(array) for array in ARRAYS])
    assert_is_arrays(load_folder("own", tmp_path))


def test_an_npz_of_that_name_is_preferred(tmp_path):
    write_idx(tmp_path, "", [np.zeros_like(array) for array in ARRAYS])
    (tmp_path / "other.npz").write_bytes(b"not this one")
    (tmp_path / "own.npz").write_bytes(npz_bytes())
    assert_is_arrays(load_folder("own", tmp_path))


@pytest.mark.parametrize("file", IDX_FILES)
def test_a_missing_idx_file_is_named(tmp_path, file):
    write_idx(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(DataError, match=f"{file}.gz: must be a readable file"):
        load_folder("own", tmp_path)


def test_an_empty_folder_says_what_it_must_hold(tmp_path):
    with pytest.raises(DataError, match="own.npz or train-images-idx3-ubyte, .*none"):
        load_folder("own", tmp_path)


def test_idx_files_that_do_not_fit_name_the_folder(tmp_path):
    write_idx(tmp_path, "", [ARRAYS[0][:11], *ARRAYS[1:]])
    with pytest.raises(DataError, match=f"{tmp_path}: train .*12 labels and 11 inputs"):
        load_folder("own", tmp_path)


def test_images_of_two_dimensions_are_refused(tmp_path):
    write_idx(tmp_path, "", [ARRAYS[0].reshape(12, 16), *ARRAYS[1:]])
    with pytest.raises(DataError, match=r"3 dimensions, got shape \(12, 16\)"):
        load_folder("own", tmp_path)


def npy_bytes():
    file = io.BytesIO()
    np.save(file, ARRAYS[0])
    return file.getvalue()


BROKEN = {
    "empty": (b"", "begins with b'', no zip"),
    "text": (b"hello", "begins with b'hell', no zip"),
    "pickle": (pickle.dumps(ARRAYS), r"begins with b'\\x80.*no zip"),
    "one array": (npy_bytes(), r"begins with b'\\x93NUM', no zip"),
    "cut": (npz_bytes()[:-30], "File is not a zip file"),
    "no arrays": (npz_bytes(arrays=[]), r"got \[\] without \['train_inputs', "),
    "array missing": (npz_bytes(arrays=ARRAYS[:3]), r"without \['test_labels'\]"),
    "objects": (
        npz_bytes(arrays=[*ARRAYS[:3], np.array([None] * 6)]),
        "Object arrays cannot be loaded",
    ),
}


@pytest.mark.parametrize("data, message", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_npz_is_named_in_one_line(tmp_path, data, message):
    path = tmp_path / "own.npz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"intact npz.*{message}") as error:
        load_npz("own", path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_npz_arrays_that_do_not_fit_name_the_file(tmp_path):
    path = tmp_path / "own.npz"
    path.write_bytes(npz_bytes(arrays=[*ARRAYS[:3], ARRAYS[3][:5]]))
    with pytest.raises(DataError, match=f"{path}: test labels: .*5 labels and 6"):
        load_npz("own", path)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_damaged_npz_is_refused_or_harmless(tmp_path, data):
    """The archive's CRC-32 sees every flipped bit that matters."""
    damaged = bytearray(
        npz_bytes(data.draw(st.sampled_from([np.savez, np.savez_compressed])))
    )
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(
        st.integers(0, 7)
    )
    path = tmp_path / "own.npz"
    path.write_bytes(damaged)
    try:
        came = load_npz("own", path)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert_is_arrays(came)
