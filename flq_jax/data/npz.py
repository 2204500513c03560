"""Arrays of an npz archive whose bytes may be anybody's."""

import math
import zipfile
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from flq_jax.data.reading import require_memory

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")  # of zip archives, with and without members
# Deflate makes at most so many bytes of one: 258 of two bits.
MOST_RATIO = 1032
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_arrays(
    file: BinaryIO,
    names: Iterable[str] | None = None,
    optional: Iterable[str] = (),
) -> dict[str, np.ndarray]:
    """The arrays of an archive by name, perhaps read-only; pickles are refused.

    Nothing is asked for that the file's own length cannot stand for: each array must
    be as long as its member, and all members together at most `MOST_RATIO` times the
    file (a kilobyte may promise a terabyte, which numpy would allocate).

    Args:
        file: open for reading.
        names: which to read, all of which must be there; None: every one.
        optional: which to read as well if they are there.

    Raises:
        Exception: numpy and zipfile name no closed list of what damaged bytes may raise.
    """
    magic = file.read(4)
    if magic not in MAGICS:
        raise ValueError(f"a file that begins with {magic}, no zip archive")
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        there = {info.filename.removesuffix(".npy"): info for info in archive.filelist}
        wanted = list(there if names is None else names)
        if missing := [name for name in wanted if name not in there]:
            raise ValueError(f"{list(there)} without {missing}")
        wanted += [name for name in optional if name in there and name not in wanted]
        promised = sum(there[name].file_size for name in wanted)
        if promised > MOST_RATIO * size:
            raise ValueError(f"{size} bytes that promise {promised}")
        require_memory("arrays", promised)
        return {name: _array(archive, there[name]) for name in wanted}


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version not in HEADERS:
            raise ValueError(f"{info.filename} of version {version}")
        shape, by_columns, dtype = HEADERS[version](member)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded, which are pickles")
        told = math.prod(shape) * dtype.itemsize
        held = info.file_size - member.tell()
        if told != held or min(shape, default=1) < 0:
            raise ValueError(
                f"{info.filename} of shape {shape} and {dtype}, which is {told} bytes, "
                f"in {held}"
            )
        entries = np.frombuffer(member.read(), dtype)
    return entries.reshape(shape[::-1]).T if by_columns else entries.reshape(shape)
