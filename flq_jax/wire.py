"""Messages as bytes, and back: what really crosses the link.

A frame is, little-endian throughout:

    header    magic b"FLQM", version u8, bits of the widest code u8, num_sides u32,
              scheme u32 (the CRC-32 of the layout's name), num_codes u32, num_bits u32
    payload   the sides as f32, then the codes at their true widths, one after another
              in a stream of bits, least significant bit first; the last byte's unused
              bits are 0
    check     CRC-32 of all that precedes, u32

The payload is num_bits long, rounded up to a byte, and is what every convention counts;
header and check, OVERHEAD_BYTES together, are counted by none, as in the literature.
Silence has no payload. Where a layout has options, a frame is that of the option which
made the message.
"""

import struct
import zlib

import jax.numpy as jnp
import numpy as np

from flq_jax.quantizers.base import Layout, Message

MAGIC = b"FLQM"
VERSION = 2
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
        message: codes u8 or u32[num_codes], side f32[num_sides], num_bits i32[].
        layout: of the quantizer that made it.

    Raises:
        WireError: the message does not fit the layout, has a code wider than its
            run, or is silent and not all zeros.
    """
    codes, sides = np.asarray(message.codes), np.asarray(message.side)
    num_bits = int(message.num_bits)
    _require("codes", codes.shape == (layout.num_codes,), layout.num_codes, codes.shape)
    _require("codes", codes.dtype == _dtype(layout), _dtype(layout), codes.dtype)
    _require("side", sides.shape == (layout.num_sides,), layout.num_sides, sides.shape)
    _require("side", sides.dtype == np.float32, "float32", sides.dtype)
    sent = _told(layout, num_bits)
    for bits, part in zip((bits for bits, _ in sent.runs), _parts(codes, sent)):
        widest = int(part.max(initial=0)).bit_length()
        _require("codes", widest <= bits, f"{bits} bits", widest)
    payload = b""
    if num_bits:
        sides, unsent = np.split(sides.astype("<f4"), [sent.num_sides])
        _require("unsent sides", not unsent.view(np.uint32).any(), "zeros", unsent)
        payload = sides.tobytes() + _packed(codes.astype(_dtype(sent)), sent)
    else:
        empty = not codes.any() and not sides.view(np.uint32).any()
        _require("a silent message", empty, "all zeros", "other codes or sides")
    frame = _HEADER.pack(*_header(sent), num_bits) + payload
    return frame + _CHECK.pack(zlib.crc32(frame))


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
    *header, num_bits = _HEADER.unpack_from(frame)
    _require("magic", header[0] == MAGIC, MAGIC, header[0])
    (check,) = _CHECK.unpack_from(frame, size - _CHECK.size)
    _require(
        "CRC-32", zlib.crc32(frame[: -_CHECK.size]) == check, "that of the frame", check
    )
    sent = layout.of_length(num_bits) or layout
    _require("header", tuple(header) == _header(sent), _header(sent), header)
    _told(layout, num_bits)
    payload = frame[_HEADER.size : -_CHECK.size]
    wanted = payload_bytes(num_bits)
    _require("payload", len(payload) == wanted, f"{wanted} bytes", len(payload))
    if not num_bits:
        codes = np.zeros(layout.num_codes, _dtype(layout))
        return _message(codes, np.zeros(layout.num_sides, np.float32), 0)
    sides = np.zeros(layout.num_sides, np.float32)
    sides[: sent.num_sides] = np.frombuffer(payload, "<f4", sent.num_sides)
    codes = _unpacked(payload[4 * sent.num_sides :], sent)
    return _message(codes.astype(_dtype(layout)), sides, num_bits)


def _told(layout: Layout, num_bits: int) -> Layout:
    """The layout of a message of that length; of silence, the given one."""
    lengths = [0, *(each.num_bits for each in layout.options or (layout,))]
    _require("num_bits", num_bits in lengths, " or ".join(map(str, lengths)), num_bits)
    return layout.of_length(num_bits) or layout


def _message(codes: np.ndarray, sides: np.ndarray, num_bits: int) -> Message:
    return Message(jnp.asarray(codes), jnp.asarray(sides), jnp.int32(num_bits))


def _header(layout: Layout) -> tuple:
    scheme = zlib.crc32(layout.scheme.encode())
    return MAGIC, VERSION, layout.widest, layout.num_sides, scheme, layout.num_codes


def _dtype(layout: Layout) -> np.dtype:
    return np.dtype(layout.code_dtype)


def _parts(codes: np.ndarray, layout: Layout) -> list[np.ndarray]:
    """The codes of each run."""
    return np.split(codes, np.cumsum([count for _, count in layout.runs])[:-1])


def _packed(codes: np.ndarray, layout: Layout) -> bytes:
    """Codes at their true widths, least significant bit first."""
    if _whole_words(layout):
        return codes.astype(codes.dtype.newbyteorder("<")).tobytes()
    if _one_narrow_run(layout):
        return _eights(codes, *layout.runs[0])
    bits = [
        _bits_of(part, width)
        for part, (width, _) in zip(_parts(codes, layout), layout.runs)
    ]
    return np.packbits(np.concatenate(bits), bitorder="little").tobytes()


def _unpacked(payload: bytes, layout: Layout) -> np.ndarray:
    """The inverse of `_packed`; bits beyond the last code must be 0."""
    dtype = _dtype(layout)
    if _whole_words(layout):
        return np.frombuffer(payload, dtype.newbyteorder("<")).astype(dtype)
    if _one_narrow_run(layout):
        return _of_eights(payload, *layout.runs[0])
    bits = np.unpackbits(np.frombuffer(payload, np.uint8), bitorder="little")
    ends = np.cumsum([width * count for width, count in layout.runs])
    _require("padding", not bits[ends[-1] :].any(), "zeros", "other bits")
    parts = [
        _codes_of(part, *run)
        for part, run in zip(np.split(bits[: ends[-1]], ends[:-1]), layout.runs)
    ]
    return np.concatenate(parts).astype(dtype)


def _whole_words(layout: Layout) -> bool:
    return all(width == 8 * _dtype(layout).itemsize for width, _ in layout.runs)


def _one_narrow_run(layout: Layout) -> bool:
    return len(layout.runs) == 1 and 1 <= layout.widest <= 8


def _eights(codes: np.ndarray, width: int, count: int) -> bytes:
    """`_packed` of codes of up to 8 bits: eight of them fill `width` bytes."""
    padded = np.zeros((-(-count // 8), 8), np.uint8)
    padded.reshape(-1)[:count] = codes
    words = padded[:, 0].astype("<u8")
    for i in range(1, 8):
        words |= padded[:, i].astype("<u8") << np.uint64(width * i)
    stream = words.view(np.uint8).reshape(-1, 8)[:, :width]
    return stream.tobytes()[: payload_bytes(width * count)]


def _of_eights(payload: bytes, width: int, count: int) -> np.ndarray:
    """The inverse of `_eights`, u8[count]."""
    stream = np.zeros(-(-count // 8) * width, np.uint8)
    stream[: len(payload)] = np.frombuffer(payload, np.uint8)
    words = np.zeros((-(-count // 8), 8), np.uint8)
    words[:, :width] = stream.reshape(-1, width)
    words = words.view("<u8")[:, 0]
    codes = np.empty((len(words), 8), np.uint8)
    for i in range(8):
        codes[:, i] = words >> np.uint64(width * i) & np.uint64(2**width - 1)
    _require("padding", not codes.reshape(-1)[count:].any(), "zeros", "other bits")
    return codes.reshape(-1)[:count]


def _bits_of(codes: np.ndarray, width: int) -> np.ndarray:
    """Each code's lowest `width` bits, u8[count width] of zeros and ones."""
    as_bytes = codes.astype("<u4").view(np.uint8).reshape(-1, 4)[:, : -(-width // 8)]
    return np.unpackbits(as_bytes, axis=1, count=width, bitorder="little").ravel()


def _codes_of(bits: np.ndarray, width: int, count: int) -> np.ndarray:
    """The inverse of `_bits_of`, u32[count]."""
    as_bytes = np.packbits(bits.reshape(count, width), axis=1, bitorder="little")
    words = np.zeros((len(as_bytes), 4), np.uint8)
    words[:, : as_bytes.shape[1]] = as_bytes
    return words.view("<u4")[:, 0]


def _require(what: str, holds: bool, must: object, came: object) -> None:
    if not holds:
        raise WireError(f"wire: {what} must be {must}, got {came}")
