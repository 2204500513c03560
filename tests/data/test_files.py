"""A user's own folder: IDX files or an npz file, and what is wrong with it."""

import contextlib
import gzip
import io
import os
import pickle
import struct
import zipfile

import hostile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flq_jax import data as sets
from flq_jax.data.errors import DataError
from flq_jax.data.files import IDX_FILES, NPZ_ARRAYS, load_folder, load_idx, load_npz
from flq_jax.data.idx import read_idx

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


def test_a_folder_and_a_file_are_data_sets_by_their_names(tmp_path):
    folder, path = tmp_path / "folder", tmp_path / "mine.npz"
    folder.mkdir()
    write_idx(folder)
    path.write_bytes(npz_bytes())
    for found, name in (sets.idx(folder), "folder"), (sets.npz(str(path)), "mine"):
        assert_is_arrays(found)
        assert found.name == name


@pytest.mark.parametrize("path", [0, None, ["a"], 1.5])
@pytest.mark.parametrize("of", ["idx", "npz", "mnist"])
def test_what_is_no_path_is_refused(of, path):
    """0 is the standard input, which would be waited for."""
    with pytest.raises(DataError, match=f"^{of}: must be the path of files, got"):
        getattr(sets, of)(path)


@pytest.mark.parametrize("names", [np.array(["b", "a", "c"]), np.array([7, -2, 9])])
def test_users_are_read_and_numbered_in_their_order(names, tmp_path):
    users = names[np.arange(12) % 3]
    path = tmp_path / "own.npz"
    np.savez(path, train_users=users, **dict(zip(NPZ_ARRAYS, ARRAYS)))
    data = load_npz("own", path)
    assert_is_arrays(data)
    np.testing.assert_array_equal(
        data.train_users, np.array([1, 0, 2])[np.arange(12) % 3]
    )
    path.write_bytes(npz_bytes())
    without = load_npz("own", path)
    assert without.train_users is None and without.digest != data.digest


@pytest.mark.parametrize(
    "users, match",
    [
        (np.zeros(11, int), "as many as the inputs, got 11 users and 12 inputs"),
        (np.zeros(12), r"integers or strings\[n\], got float64\[12\]"),
        (np.zeros((12, 1), int), r"got int64\[12, 1\]"),
    ],
)
def test_users_that_are_none_are_refused(users, match, tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, train_users=users, **dict(zip(NPZ_ARRAYS, ARRAYS)))
    with pytest.raises(DataError, match=match):
        load_npz("own", path)


def test_users_of_both_halves_may_be_called_clients(tmp_path):
    train, test = np.arange(12) % 3 + 5, np.arange(6) % 2 + 6
    path = tmp_path / "own.npz"
    arrays = dict(zip(NPZ_ARRAYS, ARRAYS))
    np.savez(path, train_clients=train, test_users=test, **arrays)
    data = load_npz("own", path)
    np.testing.assert_array_equal(data.train_users, train - 5)
    np.testing.assert_array_equal(data.test_users, test - 5)
    np.savez(path, train_clients=train, train_users=train, **arrays)
    match = "must hold one of train_users and train_clients, got both"
    with pytest.raises(DataError, match=match):
        load_npz("own", path)


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


def promising(shape, members=NPZ_ARRAYS, descr="|u1"):
    """An archive of headers without entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in members:
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array_header_1_0(
                    member, {"descr": descr, "fortran_order": False, "shape": shape}
                )
    return file.getvalue()


@pytest.mark.parametrize("shape", [(2**40,), (2**32, 2**32), (1,), (-1, -1)])
def test_headers_that_promise_what_is_not_there_are_refused(tmp_path, shape):
    """Two kilobytes would have numpy ask for a terabyte."""
    path = tmp_path / "own.npz"
    path.write_bytes(promising(shape))
    with pytest.raises(DataError, match="train_inputs.npy of shape"):
        load_npz("own", path)


def test_members_that_promise_more_than_deflate_can_hold_are_refused(tmp_path):
    """The directory's length of the first member, which stands 24 bytes into its entry."""
    data = bytearray(npz_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    path = tmp_path / "own.npz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"\d+ bytes that promise 42949\d+"):
        load_npz("own", path)


def test_arrays_that_the_machine_cannot_hold_are_not_unpacked(tmp_path, monkeypatch):
    (tmp_path / "own.npz").write_bytes(npz_bytes())
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 10, "SC_PHYS_PAGES": 10}.get)
    with pytest.raises(DataError, match="must fit in this machine's 100 bytes"):
        load_npz("own", tmp_path / "own.npz")


def test_arrays_by_columns_and_of_no_entries_are_read(tmp_path):
    by_columns = np.asfortranarray(ARRAYS[0])
    path = tmp_path / "own.npz"
    path.write_bytes(npz_bytes(arrays=[by_columns, *ARRAYS[1:]]))
    assert_is_arrays(load_npz("own", path))
    path.write_bytes(npz_bytes(arrays=[ARRAYS[0][:0], *ARRAYS[1:]]))
    with pytest.raises(DataError, match=r"at least one entry, got uint8\[0, 4, 4\]"):
        load_npz("own", path)


@pytest.mark.parametrize("where", ["folder", "name"])
def test_a_name_of_5000_letters_is_a_data_error(tmp_path, where):
    name, folder = "own", tmp_path
    if where == "folder":
        folder = tmp_path / ("x" * 5000)
    else:
        name = "x" * 5000
    with pytest.raises(DataError, match="must be a readable file.*too long") as error:
        load_folder(name, folder)
    assert len(str(error.value)) < 400


def test_a_fifo_of_that_name_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "own.npz")
    with pytest.raises(DataError, match="no regular file"):
        load_folder("own", tmp_path)


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.repro)])
def test_hostile_archives_and_idx_files_are_data_errors(tmp_path, count):
    rng = np.random.default_rng(0)
    npz = [npz_bytes(save) for save in (np.savez, np.savez_compressed)]
    write_idx(tmp_path, ".gz")
    idx = [(tmp_path / f"{file}.gz").read_bytes() for file in IDX_FILES]
    idx += [gzip.decompress(data) for data in idx]
    path = tmp_path / "file"
    for i in range(count):
        path.write_bytes(hostile.damaged(npz[i % 2], rng))
        with contextlib.suppress(DataError):
            load_npz("own", path)
        path.write_bytes(hostile.damaged(idx[i % 8], rng))
        with contextlib.suppress(DataError):
            read_idx(path)
