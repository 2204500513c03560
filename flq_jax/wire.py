"""Messages as bytes, and back: what really crosses the link.

A frame is, little-endian throughout:

    header    magic b"FLQM", version u8, bits of the widest code u8, num_sides u32,
              scheme u32 (the CRC-32 of the layout's name), num_codes u32, num_bits u32
    payload   the sides as f32, then the codes at their true widths as a stream of
              bits, see `bitstream`; the last byte's unused bits are 0
    check     CRC-32 of all that precedes, u32

The header's num_bits is the message's, in units of `Layout.unit` bits. The payload is as
many bits long, rounded up to a byte, and is what every convention counts; header and
check, OVERHEAD_BYTES together, are counted by none, as in the literature. Silence has no
payload. Where a layout has options, a frame is that of the option which made the message;
where it is entropy-coded, the codes are as `coding` has them, in as many bits as are left.

Version 3 sends widths that are no power of two field by field; up to version 2 every code
stood whole, which takes a processor several times as long to read.
"""

import functools
import struct
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax import bitstream, coding
from flq_jax.quantizers.base import Layout, Message

MAGIC = b"FLQM"
VERSION = 3
_HEADER = struct.Struct("<4sBBIIII")
_CHECK = struct.Struct("<I")
OVERHEAD_BYTES = _HEADER.size + _CHECK.size


class WireError(ValueError):
    """Bytes that are not a message of this layout, or a message that is not one."""


def payload_bytes(num_bits: int) -> int:
    """Length of the payload of a message of `num_bits` bits, in bytes."""
    return -(-num_bits // 8)


def pack(message: Message, layout: Layout) -> bytes:
    """One client's message as a frame.

    Args:
        message: codes u8 or u32[num_codes], side f32[num_sides], num_bits i32[], in units
            of the layout's `unit`.
        layout: of the quantizer that made it.

    Raises:
        WireError: the message does not fit the layout, has a code wider than its
            run, or is silent and not all zeros.
    """
    codes, sides = np.asarray(message.codes), np.asarray(message.side)
    length = int(message.num_bits)
    _require("codes", codes.shape == (layout.num_codes,), layout.num_codes, codes.shape)
    _require("codes", codes.dtype == _dtype(layout), _dtype(layout), codes.dtype)
    _require("side", sides.shape == (layout.num_sides,), layout.num_sides, sides.shape)
    _require("side", sides.dtype == np.float32, "float32", sides.dtype)
    sent = _told(layout, length)
    for bits, part in zip((bits for bits, _ in sent.runs), _parts(codes, sent)):
        widest = int(part.max(initial=0)).bit_length()
        _require("codes", widest <= bits, f"{bits} bits", widest)
    payload = ()
    if length:
        sides, unsent = np.split(sides.astype("<f4"), [sent.num_sides])
        _require("unsent sides", not unsent.view(np.uint32).any(), "zeros", unsent)
        payload = sides.data, _stream(codes, sent, length)
    else:
        empty = not codes.any() and not sides.view(np.uint32).any()
        _require("a silent message", empty, "all zeros", "other codes or sides")
    parts = _HEADER.pack(*_header(sent), length), *payload
    check = functools.reduce(lambda crc, part: zlib.crc32(part, crc), parts, 0)
    return b"".join((*parts, _CHECK.pack(check)))


def unpack(frame: bytes, layout: Layout) -> Message:
    """The message that a frame holds, bit for bit.

    Args:
        frame: any bytes.
        layout: of the quantizer whose message is expected.

    Raises:
        WireError: the bytes are truncated, damaged, too long, of another version or of
            another layout.
    """
    size = len(frame)
    _require("frame", size >= OVERHEAD_BYTES, f">= {OVERHEAD_BYTES} bytes", size)
    *header, length = _HEADER.unpack_from(frame)
    _require("magic", header[0] == MAGIC, MAGIC, header[0])
    (check,) = _CHECK.unpack_from(frame, size - _CHECK.size)
    checked = memoryview(frame)[: -_CHECK.size]
    _require("CRC-32", zlib.crc32(checked) == check, "that of the frame", check)
    sent = layout.of_length(length) or layout
    _require("header", tuple(header) == _header(sent), _header(sent), header)
    _told(layout, length)
    payload, num_bits = checked[_HEADER.size :], layout.bits_of(length)
    wanted = payload_bytes(num_bits)
    _require("payload", len(payload) == wanted, f"{wanted} bytes", len(payload))
    if not length:
        codes = np.zeros(layout.num_codes, _dtype(layout))
        return _message(codes, np.zeros(layout.num_sides, np.float32), 0)
    sides = np.zeros(layout.num_sides, np.float32)
    sides[: sent.num_sides] = np.frombuffer(payload, "<f4", sent.num_sides)
    stream = np.frombuffer(payload, np.uint8, offset=4 * sent.num_sides)
    unused = -num_bits % 8
    _require("padding", not unused or not stream[-1] >> 8 - unused, "zeros", "others")
    codes = _codes(stream, sent, num_bits)
    return _message(jnp.asarray(codes, layout.code_dtype), sides, length)


def _told(layout: Layout, length: int) -> Layout:
    """The layout of a message with that `num_bits`; of silence, the given one."""
    found = layout.of_length(length)
    lengths = " or ".join(map(str, (0, *layout.lengths)))
    if layout.coded:
        lengths = f"0 or in {32 * layout.num_sides + 1}..{layout.num_bits}"
    _require("num_bits", not length or found is not None, lengths, length)
    return found or layout


def _stream(codes: np.ndarray, sent: Layout, length: int) -> memoryview:
    """The codes of a message of `length` bits or units as bytes."""
    if not sent.coded:
        stream = _packed(codes.astype(_dtype(sent), copy=False), sent.runs)
        return np.asarray(stream).data
    try:
        bits = coding.write(codes, sent.runs, sent.rising, length - 32 * sent.num_sides)
    except coding.CodingError as error:
        raise WireError(f"wire: {error}") from error
    return np.packbits(bits, bitorder="little").data


def _codes(stream: np.ndarray, sent: Layout, num_bits: int) -> np.ndarray:
    """The codes that `_stream` was given."""
    if not sent.coded:
        return np.asarray(_unpacked(stream, sent.runs))
    length = num_bits - 32 * sent.num_sides
    bits = np.unpackbits(stream, bitorder="little")[:length]
    try:
        codes = coding.read(bits, sent.runs, sent.rising)
        again = coding.write(codes, sent.runs, sent.rising, length)
    except coding.CodingError as error:
        raise WireError(f"wire: {error}") from error
    _require("stream", np.array_equal(again, bits), "that of its codes", "another")
    return codes


def _message(codes, sides, length: int) -> Message:
    return Message(jnp.asarray(codes), jnp.asarray(sides), jnp.int32(length))


def _header(layout: Layout) -> tuple:
    scheme = zlib.crc32(layout.scheme.encode())
    return MAGIC, VERSION, layout.widest, layout.num_sides, scheme, layout.num_codes


def _dtype(layout: Layout) -> np.dtype:
    return np.dtype(layout.code_dtype)


def _parts(codes: np.ndarray, layout: Layout) -> list[np.ndarray]:
    """The codes of each run."""
    return np.split(codes, np.cumsum([count for _, count in layout.runs])[:-1])


# Jitted here, for what packs and unpacks has left the program of the round, and eagerly
# takes ten times as long. One compilation for each set of runs.
_packed = jax.jit(bitstream.pack, static_argnames="runs")
_unpacked = jax.jit(bitstream.unpack, static_argnames="runs")


def _require(what: str, holds: bool, must: object, came: object) -> None:
    if not holds:
        raise WireError(f"wire: {what} must be {must}, got {came}")
