"""IDX, the file format of MNIST: a header with the shape, then the entries.

    bytes 0-1    zero
    byte  2      type of the entries, see `DTYPES`
    byte  3      number of dimensions
    then         each dimension, big-endian u32
    then         the entries in row-major order, big-endian

(LeCun, Cortes and Burges, "The MNIST database of handwritten digits".)
"""

import hashlib
import math
import os
import zlib

import numpy as np

from flq_jax.data.errors import DataError
from flq_jax.data.reading import opened, reason, require_memory, shown

DTYPES = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MAX_DIMS = 8
MAX_HEADER = 4 + 4 * MAX_DIMS
GZIP_MAGIC = b"\x1f\x8b"
GZIP_BITS = 31  # zlib's wbits for a 32 KiB window inside a gzip frame


def read_idx(
    path: str | os.PathLike, *, ndim: int | None = None, sha256: str | None = None
) -> np.ndarray:
    """Reads an IDX file, plain or gzip as its first bytes say.

    Args:
        path: the file.
        ndim: number of dimensions it must have, 1 to 8; None: any.
        sha256: hex digest that the file must have, as unpacked; None: any.

    Returns:
        An array in native byte order, perhaps read-only. Every dimension is 1 or more.

    Raises:
        DataError: for a file that cannot be read, has another digest or number of
            dimensions, or is not one IDX array from its first byte to its last. No
            bytes raise anything else, and at most as much is unpacked as the header
            promises.
    """
    try:
        with opened(path) as file:
            data = file.read()
        packed = data.startswith(GZIP_MAGIC)
        data = _gunzip(path, data) if packed else data
    except DataError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise DataError(
            f"{shown(path)}: must be a readable file, got {reason(error)}"
        ) from error
    except MemoryError as error:
        raise DataError(
            f"{path}: must fit in memory, got a file that is larger"
        ) from error
    if sha256 is not None:
        came = hashlib.sha256(data).hexdigest()
        if came != sha256:
            raise DataError(
                f"{path}: unpacked SHA-256 must be {sha256}, got {came}: "
                "the file is damaged or of another data set"
            )
    return _parse(path, data, ndim)


def _parse(path, data: bytes, ndim: int | None) -> np.ndarray:
    shape, dtype = _header(path, data)
    if ndim is not None and len(shape) != ndim:
        raise DataError(f"{path}: must have {ndim} dimensions, got shape {shape}")
    expected = _length(shape, dtype)
    if len(data) != expected:
        problem = "truncated" if len(data) < expected else "bytes left over"
        raise DataError(
            f"{path}: shape {shape} of {dtype.name} must take {expected} bytes, got "
            f"{len(data)} ({problem})"
        )
    entries = np.frombuffer(data, dtype, offset=_length(shape))
    return entries.reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _header(path, data: bytes) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the entries, from (at least) the header's bytes."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in DTYPES:
        types = " ".join(f"{code:02x}" for code in DTYPES)
        raise DataError(
            f"{path}: must begin with the IDX magic 00 00, a type in {{{types}}} and "
            f"the number of dimensions, got {data[:4].hex(' ') or 'nothing'}"
        )
    ndim = data[3]
    if not 1 <= ndim <= MAX_DIMS:
        raise DataError(f"{path}: must have 1 to {MAX_DIMS} dimensions, got {ndim}")
    if len(data) < 4 + 4 * ndim:
        raise DataError(
            f"{path}: a header of {ndim} dimensions must take {4 + 4 * ndim} bytes, "
            f"got a file of {len(data)}"
        )
    shape = tuple(int(size) for size in np.frombuffer(data, ">u4", ndim, offset=4))
    if min(shape) < 1:
        raise DataError(f"{path}: every dimension must be 1 or more, got shape {shape}")
    return shape, DTYPES[data[2]]


def _length(shape: tuple[int, ...], dtype: np.dtype | None = None) -> int:
    """Bytes of the header and, given their type, of the entries."""
    entries = math.prod(shape) * dtype.itemsize if dtype is not None else 0
    return 4 + 4 * len(shape) + entries


def _gunzip(path, packed: bytes) -> bytes:
    """Unpacks one gzip stream, and never more than one byte past the IDX array.

    zlib itself compares the CRC-32 and the length at the end of the stream.
    """
    try:
        peek = zlib.decompressobj(GZIP_BITS)
        head = peek.decompress(packed, MAX_HEADER)
        if len(head) < MAX_HEADER:
            _require_end(path, peek, head)
        shape, dtype = _header(path, head)
        expected = _length(shape, dtype)
        # zlib puts blocks together, which takes twice their length.
        require_memory(f"{path}: shape {shape}", 2 * expected)
        stream = zlib.decompressobj(GZIP_BITS)
        data = stream.decompress(packed, min(expected + 1, 2**62))
    except zlib.error as error:
        raise DataError(f"{path}: must be an intact gzip file, got {error}") from error
    if len(data) > expected:
        raise DataError(
            f"{path}: must unpack to {expected} bytes as its header says, got more"
        )
    _require_end(path, stream, data)
    return data


def _require_end(path, stream, data: bytes) -> None:
    """Raises unless the gzip stream ended with `data`, and the file with the stream."""
    if not stream.eof:
        raise DataError(
            f"{path}: must hold a whole gzip stream, got one that breaks off after "
            f"{len(data)} unpacked bytes"
        )
    if stream.unused_data:
        raise DataError(
            f"{path}: must end with its gzip stream, got {len(stream.unused_data)} "
            "bytes after it"
        )
