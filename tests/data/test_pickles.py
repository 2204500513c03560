"""A pickle's arrays are read, and nothing that a pickle could do is done."""

import os
import pickle
import pickletools
import struct
from collections import OrderedDict

import hostile
import numpy as np
import pytest

from flq_jax.data.pickles import read_pickle

VALUES = {
    "data": np.arange(24, dtype=np.uint8).reshape(4, 6),
    "labels": [0, 1, 2, 300],
    "batch_label": "training batch 1 of 5",
}


def python2(values):
    """The bytes that cPickle of Python 2 wrote for CIFAR: protocol 2, strings of bytes."""
    out = bytearray(b"\x80\x02}(")

    def text(value):
        data = value if isinstance(value, bytes) else value.encode("latin1")
        out.extend(b"T" + struct.pack("<i", len(data)) + data)

    def value(item):
        if isinstance(item, (str, bytes)):
            text(item)
        elif isinstance(item, list):
            out.extend(
                b"](" + b"".join(b"M" + struct.pack("<H", i) for i in item) + b"e"
            )
        else:
            out.extend(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n")
            out.extend(b"K\x00\x85U\x01b\x87R(K\x01(")
            out.extend(b"".join(b"M" + struct.pack("<H", size) for size in item.shape))
            out.extend(b"tcnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN")
            out.extend(b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
            text(item.tobytes())
            out.extend(b"tb")

    for key, item in values.items():
        text(key)
        value(item)
    return bytes(out + b"u.")


def same(found, values=VALUES):
    assert list(found) == list(values)
    for key, value in values.items():
        np.testing.assert_array_equal(found[key], value)


@pytest.mark.parametrize("protocol", range(5))
def test_what_python_3_writes_is_read(protocol):
    same(read_pickle(pickle.dumps(VALUES, protocol)))


def test_what_python_2_wrote_is_read():
    data = python2(VALUES)
    same(pickle.loads(data, encoding="latin1"))  # noqa: S301 - the bytes are true ones
    same(read_pickle(data))


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", ">i2", "<i4", "i8", "f2", ">f4", "f8", "?"]
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_arrays_of_plain_numbers_are_read(dtype, protocol):
    array = np.arange(6).reshape(3, 2).astype(dtype)
    for given in array, np.asfortranarray(array):
        (found,) = read_pickle(pickle.dumps({"a": given}, protocol)).values()
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


class Calls:
    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_nothing_is_called(tmp_path):
    calls = Calls()
    calls.folder = tmp_path / "made"
    for protocol in range(5):
        data = pickle.dumps({"data": calls}, protocol)
        with pytest.raises(ValueError, match="a pickle of (posix|nt) mkdir"):
            read_pickle(data)
    assert not calls.folder.exists()
    pickle.loads(data)  # noqa: S301 - which shows that it would have been
    assert calls.folder.exists()


def dumped(value):
    return pickle.dumps(value, 2)


def instructions(code):
    """A pickle of the dict {"data": what `code` leaves on the stack}."""
    return b"\x80\x02}U\x04data" + code + b"s."


NDARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
DTYPE = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|tb"
BROKEN = {
    "nothing": (b"", "exhausted before seeing STOP"),
    "no end": (dumped(VALUES)[:-1], "exhausted before seeing STOP"),
    "a list": (dumped([1]), "a list out of place"),
    "a class": (dumped({"data": OrderedDict()}), "a pickle of collections OrderedDict"),
    "objects": (dumped({"data": np.array([None])}), "type |O8, which is no plain"),
    "records": (
        dumped({"data": np.zeros(2, "i4,f4")}),
        r"type \|V8, which is no plain",
    ),
    "short": (
        instructions(NDARRAY + b"(K\x01K\x05\x85" + DTYPE + b"\x89U\x02abtb"),
        r"2 bytes for an array of uint8 and shape \(5,\)",
    ),
    "a terabyte": (
        instructions(
            NDARRAY + b"(K\x01\x8a\x06\0\0\0\0\0\x01\x85" + DTYPE + b"\x89U\0tb"
        ),
        "0 bytes for an array of uint8 and shape",
    ),
    "below 0": (
        instructions(NDARRAY + b"(K\x01J\xff\xff\xff\xff\x85" + DTYPE + b"\x89U\0tb"),
        r"of shape \(-1,\)",
    ),
    "a type as an array": (instructions(DTYPE), "."),
    "an array unbuilt": (instructions(NDARRAY), "."),
    "a call as a value": (instructions(b"cnumpy\nndarray\n)R"), "."),
    "a tuple as a key": (
        b"\x80\x02}" + b")\x85" * 3 + b"K\x01s.",
        "a tuple out of place",
    ),
    "a value alone": (b"\x80\x02}(K\x01u.", "a key without a value"),
    "no mark": (b"\x80\x02}U\x01au.", "without a mark"),
    "empty stack": (b"\x80\x02\x85.", "takes more than it has"),
    "another encoding": (
        instructions(b"c_codecs\nencode\nU\x01aU\x05rot13\x86R"),
        "bytes encoded as rot13",
    ),
    "a persistent id": (b"\x80\x02}U\x04dataU\x01aQs.", "a pickle with BINPERSID"),
    "a build of a dict": (b"\x80\x02}U\x01aK\x01\x86b.", "a dict out of place"),
    "an unknown place": (b"\x80\x02h\x09.", "9"),
}


@pytest.mark.parametrize("data, match", BROKEN.values(), ids=BROKEN.keys())
def test_a_pickle_of_anything_else_is_refused(data, match):
    with pytest.raises((ValueError, KeyError, IndexError), match=match):
        read_pickle(data)


def test_a_memo_of_four_billion_places_takes_no_memory():
    """The pickle module sets aside 64 GiB for this instruction, `LONG_BINPUT`."""
    data = b"\x80\x02}r\xff\xff\xff\xff."
    assert any(name.name == "LONG_BINPUT" for name, _, _ in pickletools.genops(data))
    assert read_pickle(data) == {}


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.repro)])
def test_damaged_pickles_are_refused_or_dicts(count):
    rng = np.random.default_rng(0)
    good = [*(pickle.dumps(VALUES, protocol) for protocol in range(5)), python2(VALUES)]
    for i in range(count):
        data = hostile.damaged(good[i % len(good)], rng)
        try:
            assert isinstance(read_pickle(data), dict)
        except Exception as error:  # noqa: BLE001 - no closed list
            assert not isinstance(error, (MemoryError, SystemError, AssertionError)), i
