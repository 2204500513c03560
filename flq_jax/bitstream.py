"""Codes of any width as a stream of bits, and back.

Bit i of a stream is bit i mod 8 of its byte i div 8, the least significant first. The
runs of codes follow one another, neighbours of one width as one run. Within a run every
code is cut, from its lowest bit up, into fields of the sizes that add up to its width in
binary, the largest first; one field of all codes precedes the next field of any:

    5 = 4 + 1:  the lowest four bits of code 0, of code 1, ..., of the last,
                the fifth bit of code 0, of code 1, ..., of the last.

Widths 1, 2, 4, 8, 16 and 32 have one field, so their codes simply follow one another; in
no width is there a bit between two fields. No field of less than a byte crosses one,
which lets a CPU work on many at a time: the same stream of 3-bit codes one after another
needs a gather to be read.

Everything here is pure and of static shapes: it jits, and vmaps over clients.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate, groupby
from operator import itemgetter

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Runs = Sequence[tuple[int, int]]
_SIZES = (32, 16, 8, 4, 2, 1)
_PIECES = 8  # that the codes are cut into, to be packed one piece after the other
_SMALL = 2**14  # fewer codes than these are not cut


def num_bytes(runs: Runs) -> int:
    """Bytes of a stream: ceil(sum of bits * count / 8)."""
    return _bytes(sum(bits * count for bits, count in runs))


def pack(codes: jax.Array, runs: Runs) -> jax.Array:
    """Codes at their true widths.

    Args:
        codes: u8 or u32, as many as the runs have; bits above a code's width are
            dropped.
        runs: pairs (bits, count), so many codes of 0 to 32 bits (8 if they are u8).

    Returns:
        u8[num_bytes(runs)]; the last byte's unused bits are 0.
    """
    _require_length("codes", codes, sum(count for _, count in runs))
    streams, first = [], 0
    for bits, count in _merged(runs):
        part = codes[first : first + count]
        first += count
        sizes = [size for _, size in _fields(bits)]
        streams += zip(_split(part, bits), [size * count for size in sizes])
    return _joined(streams)


def unpack(stream: jax.Array, runs: Runs) -> jax.Array:
    """The codes of a stream that `pack` made.

    Args:
        stream: u8[num_bytes(runs)]; the last byte's unused bits are ignored.
        runs: as in `pack`.

    Returns:
        u8 of as many codes as the runs have, or u32 if one is wider than 8 bits.
    """
    _require_length("stream", stream, num_bytes(runs))
    dtype = jnp.uint8 if all(bits <= 8 for bits, _ in runs) else jnp.uint32
    parts, begin = [jnp.zeros(0, dtype)], 0
    for bits, count in _merged(runs):
        fields = [jnp.zeros(count, jnp.uint32)]
        for low, size in _fields(bits):
            field = _fields_of(_cut(stream, begin, size * count), size, count)
            fields.append(field * np.uint32(2**low))
            begin += size * count
        parts.append(reduce(jnp.bitwise_or, fields).astype(dtype))
    return jnp.concatenate(parts)


def _bytes(bits: int) -> int:
    return -(-bits // 8)


def _require_length(what: str, array: jax.Array, length: int) -> None:
    if array.shape != (length,):
        raise ValueError(
            f"bitstream: {what} must have shape ({length},) for these runs, "
            f"got {array.shape}"
        )


def _merged(runs: Runs) -> list[tuple[int, int]]:
    """The runs, neighbours of one width made one, without those that are empty."""
    widths = groupby((run for run in runs if run[1]), itemgetter(0))
    return [(bits, sum(count for _, count in group)) for bits, group in widths]


def _fields(bits: int) -> list[tuple[int, int]]:
    """Pairs (lowest bit, size) of the fields of a code, the largest first."""
    sizes = [size for size in _SIZES if bits & size]
    return list(zip(accumulate(sizes, initial=0), sizes))


def _split(codes: jax.Array, bits: int) -> list[jax.Array]:
    """The streams of the fields of codes of one width.

    Packed in pieces: XLA would compute the codes anew for each field, and for several
    in a loop that it cannot vectorize. What a loop goes over, it computes beforehand.
    """

    def split(part):
        return [_filled(_shifted(part, low), size) for low, size in _fields(bits)]

    if codes.size < _SMALL:
        return split(codes)
    whole = codes.size - codes.size % (8 * _PIECES)  # so that pieces end with a byte
    pieces = lax.map(split, codes[:whole].reshape(_PIECES, -1))
    return [
        jnp.concatenate([piece.reshape(-1), rest])
        for piece, rest in zip(pieces, split(codes[whole:]))
    ]


def _shifted(codes: jax.Array, low: int) -> jax.Array:
    return codes >> codes.dtype.type(low) if low else codes


def _filled(codes: jax.Array, size: int) -> jax.Array:
    """The lowest `size` bits of every code, u8[ceil(size n / 8)]."""
    if size >= 8:
        whole = codes.astype(f"uint{size}")
        return lax.bitcast_convert_type(whole, jnp.uint8).reshape(-1)
    low = codes.astype(jnp.uint8) & np.uint8(2**size - 1)
    each = 8 // size  # codes to a byte

    def fill(part):
        place = size * lax.broadcasted_iota(jnp.uint8, (1, each), 1)
        placed = part.reshape(-1, each) << place
        return lax.reduce(placed, np.uint8(0), lax.bitwise_or, (1,))

    # Only the remainder is padded: XLA would pad within the loop over all codes.
    remainder = low.size % each
    whole, rest = low[: low.size - remainder], low[low.size - remainder :]
    rest = jnp.pad(rest, (0, -remainder % each))
    return jnp.concatenate([fill(whole), fill(rest)])


def _fields_of(stream: jax.Array, size: int, count: int) -> jax.Array:
    """The inverse of `_filled`, u32[count]."""
    if size == 8:
        return stream.astype(jnp.uint32)
    filled = jnp.pad(stream, (0, -stream.size % 4))
    words = lax.bitcast_convert_type(filled.reshape(-1, 4), jnp.uint32)
    place = size * lax.broadcasted_iota(jnp.uint32, (1, 32 // size), 1)
    fields = words[:, None] >> place & np.uint32(2**size - 1)
    return fields.reshape(-1)[:count]


def _joined(streams: Sequence[tuple[jax.Array, int]]) -> jax.Array:
    """Streams of so many bits, one after another; their unused bits must be 0."""
    parts, end = [jnp.zeros(0, jnp.uint8)], 0
    for stream, length in streams:
        if shift := end % 8:
            moved = jnp.pad(stream, (0, 1)) << np.uint8(shift)
            moved |= jnp.pad(stream, (1, 0)) >> np.uint8(8 - shift)
            shared = parts[-1][-1:] | moved[:1]
            parts[-1] = parts[-1][:-1]
            stream = jnp.concatenate([shared, moved[1 : _bytes(shift + length)]])
        parts.append(stream)
        end += length
    return jnp.concatenate(parts)


def _cut(stream: jax.Array, begin: int, length: int) -> jax.Array:
    """Bits begin .. begin + length - 1 as a stream, with any bits beyond them."""
    part = stream[begin // 8 : _bytes(begin + length)]
    if shift := begin % 8:
        after = jnp.pad(part[1:], (0, 1))
        part = part >> np.uint8(shift) | after << np.uint8(8 - shift)
    return part[: _bytes(length)]
