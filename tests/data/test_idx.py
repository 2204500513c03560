"""IDX files: what is written by the format's description is read, nothing else is."""

import gzip
import hashlib
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flq_jax.data.errors import DataError
from flq_jax.data.idx import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
ANY_BYTES = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def idx_bytes(array):
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def write(tmp_path):
    def write(data):
        path = tmp_path / "file"
        path.write_bytes(data)
        return path

    return write


SMALL = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
PLAIN = idx_bytes(SMALL)
PACKED = gzip.compress(PLAIN, mtime=0)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("dtype", CODES)
def test_every_type_is_read_back(write, dtype, pack):
    array = np.array([[-100, 3, 101], [0, 1, 2]]).astype(dtype)
    came = read_idx(write(pack(idx_bytes(array))), ndim=2)
    assert came.dtype == np.dtype(dtype)
    assert came.dtype.isnative
    np.testing.assert_array_equal(came, array)


def test_entries_are_big_endian(write):
    came = read_idx(write(b"\0\0\x0b\x01\0\0\0\x02" + b"\x01\x02\xff\xff"))
    assert came.tolist() == [0x0102, -1]


def test_a_known_hash_is_of_the_unpacked_bytes(write):
    sha256 = hashlib.sha256(PLAIN).hexdigest()
    for data in PLAIN, PACKED:
        np.testing.assert_array_equal(read_idx(write(data), sha256=sha256), SMALL)


def test_another_hash_is_refused(write):
    path = write(PLAIN[:-1] + b"\0")
    with pytest.raises(DataError, match=f"{path}: unpacked SHA-256 must be"):
        read_idx(path, sha256=hashlib.sha256(PLAIN).hexdigest())


def header(*shape, ndim=None, code=8):
    ndim = len(shape) if ndim is None else ndim
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, ndim, *shape)


# A gzip stream whose CRC-32, the first four of its last eight bytes, is wrong.
WRONG_CRC = PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:]
BROKEN = {
    "empty": (b"", "IDX magic.*got nothing"),
    "text": (b"hello world", "IDX magic.*got 68 65 6c 6c"),
    "unknown type": (header(1, code=0x0A) + b"\0", "IDX magic.*got 00 00 0a 01"),
    "no dimensions": (header() + b"\0", "1 to 8 dimensions, got 0"),
    "too many dimensions": (header(*[1] * 9) + b"\0", "1 to 8 dimensions, got 9"),
    "short header": (header(2, ndim=2), "header of 2 dimensions.*got a file of 8"),
    "empty dimension": (
        header(0, 2**32 - 1),
        r"1 or more, got shape \(0, 4294967295\)",
    ),
    "truncated": (PLAIN[:-1], r"take 40 bytes, got 39 \(truncated\)"),
    "too long": (PLAIN + b"\0", r"take 40 bytes, got 41 \(bytes left over\)"),
    "gzip, foreign": (gzip.compress(b"hello"), "IDX magic.*got 68 65 6c 6c"),
    "gzip, entries missing": (gzip.compress(PLAIN[:-1]), "40 bytes, got 39"),
    "gzip, entries left over": (gzip.compress(PLAIN + b"\0"), "40 bytes.*got more"),
    "gzip, cut": (PACKED[:-9], "whole gzip stream"),
    "gzip, cut early": (PACKED[:10], "whole gzip stream.*after 0 unpacked"),
    "gzip, cut checksum": (PACKED[:-1], "breaks off after 40 unpacked"),
    "gzip, wrong CRC": (WRONG_CRC, "intact gzip file.*incorrect data check"),
    "gzip, bytes after it": (PACKED + b"abc", "end with its gzip stream, got 3 bytes"),
}


@pytest.mark.parametrize("data, message", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_in_one_line(write, data, message):
    path = write(data)
    with pytest.raises(DataError, match=message) as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_other_dimensions_are_refused(write):
    with pytest.raises(DataError, match=r"1 dimensions, got shape \(2, 3, 4\)"):
        read_idx(write(PLAIN), ndim=1)


@pytest.mark.parametrize("name", ["absent", "", "null\0byte"])
def test_a_file_that_cannot_be_read_is_a_data_error(tmp_path, name):
    path = f"{tmp_path}/{name}"
    with pytest.raises(DataError, match="must be a readable file"):
        read_idx(path)


def test_no_more_is_unpacked_than_the_header_promises(write, monkeypatch):
    bomb = gzip.compress(PLAIN + bytes(10**7))
    unpacked = []

    class Stream:
        def __init__(self, wbits):
            self.stream = zlib_decompressobj(wbits)

        def decompress(self, data, max_length):
            unpacked.append(self.stream.decompress(data, max_length))
            return unpacked[-1]

    zlib_decompressobj = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Stream)
    with pytest.raises(DataError, match="got more"):
        read_idx(write(bomb))
    assert len(unpacked[-1]) == len(PLAIN) + 1


def test_a_header_that_promises_the_moon_is_refused(write):
    """8 dimensions of 2**32 - 1: more bytes than any integer type counts."""
    data = header(*[2**32 - 1] * 8) + bytes(10)
    for pack in bytes, gzip.compress:
        with pytest.raises(DataError, match="4294967295"):
            read_idx(write(pack(data)), ndim=8)


def array_or_data_error(path):
    try:
        return read_idx(path)
    except DataError as error:
        assert "\n" not in str(error)
        return None


@ANY_BYTES
@given(
    prefix=st.sampled_from([b"", b"\0\0\x08", b"\0\0\x0d\x02", b"\x1f\x8b\x08\0"]),
    data=st.binary(max_size=64),
)
def test_random_bytes_do_not_crash(write, prefix, data):
    array_or_data_error(write(prefix + data))


@ANY_BYTES
@given(data=st.binary(max_size=64))
def test_random_packed_bytes_do_not_crash(write, data):
    array_or_data_error(write(gzip.compress(b"\0\0\x08\x01" + data)))


@ANY_BYTES
@given(st.data())
def test_a_cut_file_is_refused(write, data):
    whole = data.draw(st.sampled_from([PLAIN, PACKED]))
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert array_or_data_error(write(whole[:cut])) is None


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_under_gzip_never_changes_the_entries(write, bit):
    for i in range(len(PACKED)):
        flipped = bytearray(PACKED)
        flipped[i] ^= 1 << bit
        came = array_or_data_error(write(bytes(flipped)))
        assert came is None or np.array_equal(came, SMALL)


def test_a_file_larger_than_memory_is_refused_before_it_is_unpacked(write, monkeypatch):
    """A machine of 1,000 bytes; of 1,000,000 entries of zeros gzip leaves 1,000."""
    path = write(gzip.compress(header(10**6) + bytes(10**6)))
    assert read_idx(path).shape == (10**6,)
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 10, "SC_PHYS_PAGES": 100}.get)
    with pytest.raises(DataError, match=r"shape \(1000000,\): must fit .* 1,000 bytes"):
        read_idx(path)


def test_memory_that_is_not_given_is_a_data_error(write, monkeypatch):
    class Stream:
        def __init__(self, wbits):
            del wbits

        def decompress(self, data, max_length):
            raise MemoryError

    monkeypatch.setattr(zlib, "decompressobj", Stream)
    with pytest.raises(DataError, match="must fit in memory"):
        read_idx(write(PACKED))


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "long name"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, kind):
    """A FIFO would be waited for, and zeros of a device never end."""
    path = {
        "fifo": tmp_path / "fifo",
        "folder": tmp_path,
        "device": "/dev/zero",
        "long name": tmp_path / ("x" * 5000),
    }[kind]
    if kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(DataError, match="must be a readable file") as error:
        read_idx(path)
    assert len(str(error.value)) < 400
