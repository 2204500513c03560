"""The wire gives back every message exactly, and refuses everything else."""

import struct
import zlib

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import pytest

from flq_jax import quantizers, wire
from flq_jax.compressors.base import silence
from flq_jax.quantizers import Layout, Message

D = 11
QUANTIZERS = {
    "identity": quantizers.identity(),
    "sign": quantizers.sign(),
    **{f"uniform{bits}": quantizers.uniform(bits) for bits in range(1, 9)},
    "geometric3": quantizers.uniform(3, quantizers.geometric(2.0, 0.9)),
    "stochastic1": quantizers.stochastic(1),
    "stochastic127": quantizers.stochastic(127, "max"),
    "tanh5": quantizers.tanh_grid(5),
    "segmented": quantizers.segmented(quantizers.uniform(3), (3, 8)),
    **{
        f"option{choice}": quantizers.one_of(
            (quantizers.sign(), quantizers.uniform(3), quantizers.identity())
        ).at(0, choice)
        for choice in range(3)
    },
}
OPTION_BITS = {"option0": D + 32, "option1": 3 * D + 32}  # of the others, the layout's


@pytest.fixture(scope="module")
def originals():
    """name -> (a message of that quantizer, silence, their layout)."""
    keys = jax.random.split(jax.random.key(0), len(QUANTIZERS))
    xs = np.random.default_rng(0).standard_normal((len(QUANTIZERS), D), np.float32)

    @jax.jit
    def encoded(keys, xs):
        quantized = zip(QUANTIZERS.values(), keys, xs, strict=True)
        messages = [quantizer.encode(key, x) for quantizer, key, x in quantized]
        return [(message, silence(message, False)) for message in messages]

    both = jax.tree.map(np.asarray, encoded(keys, xs))
    layouts = [quantizer.layout(D) for quantizer in QUANTIZERS.values()]
    return {
        name: (message, silent, layout)
        for name, (message, silent), layout in zip(QUANTIZERS, both, layouts)
    }


def _same(a: Message, b: Message) -> bool:
    return all(
        x.dtype == y.dtype and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for x, y in zip(a, b)
    )


@pytest.mark.parametrize("name", QUANTIZERS)
def test_payload_is_as_long_as_declared_and_restores_the_message(name, originals):
    message, _, layout = originals[name]
    frame = wire.pack(message, layout)
    num_bits = OPTION_BITS.get(name, layout.num_bits)
    assert int(message.num_bits) == num_bits
    assert len(frame) - wire.OVERHEAD_BYTES == -(-num_bits // 8)
    assert _same(wire.unpack(frame, layout), message)


@pytest.mark.parametrize("name", QUANTIZERS)
def test_silence_has_no_payload(name, originals):
    _, silent, layout = originals[name]
    frame = wire.pack(silent, layout)
    assert len(frame) == wire.OVERHEAD_BYTES
    assert _same(wire.unpack(frame, layout), silent)


@pytest.mark.parametrize(
    "width, num_codes",
    [(w, D) for w in range(1, 33)] + [(w, 1) for w in (1, 2, 7, 8, 9, 31, 32)],
)
def test_every_width_round_trips_at_its_true_length(width, num_codes):
    rng = np.random.default_rng(width)
    dtype = np.uint8 if width <= 8 else np.uint32
    codes = rng.integers(0, 2**width, num_codes, dtype=np.uint64).astype(dtype)
    codes[0] = 2**width - 1
    layout = Layout.of("any", width, num_codes, 0)
    message = Message(codes, np.zeros(0, np.float32), np.int32(layout.num_bits))
    frame = wire.pack(message, layout)
    assert len(frame) - wire.OVERHEAD_BYTES == -(-width * num_codes // 8)
    assert _same(wire.unpack(frame, layout), message)


def test_there_may_be_more_sides_than_16_bits_count():
    """A fifth of a million coordinates, as rand-k sends them."""
    layout = Layout.of("many", 1, 0, 200_000)
    side = np.random.default_rng(0).standard_normal(200_000, np.float32)
    message = Message(np.zeros(0, np.uint8), side, np.int32(layout.num_bits))
    assert _same(wire.unpack(wire.pack(message, layout), layout), message)


def test_sides_are_restored_bit_for_bit():
    sides = np.array([0x7FC00001, 0x7F800000, 1, 0x80000000, 0xFF800000], np.uint32)
    layout = Layout.of("any", 3, 2, 5)
    message = Message(
        np.array([5, 2], np.uint8),
        sides.view(np.float32),
        np.int32(166),
    )
    assert _same(wire.unpack(wire.pack(message, layout), layout), message)


def test_runs_of_other_widths_follow_one_another():
    layout = Layout("any", ((3, 2), (13, 1), (1, 4)), 0)
    codes = np.array([5, 2, 4097, 1, 0, 1, 1], np.uint32)
    message = Message(codes, np.zeros(0, np.float32), np.int32(23))
    frame = wire.pack(message, layout)
    # The lower two bits of 0b101 and 0b010, their upper bits, 4097, and four bits.
    stream = (0b01 + 0b10 * 2**2 + 0b01 * 2**4) + 4097 * 2**6 + 0b1101 * 2**19
    assert frame[22:25] == stream.to_bytes(3, "little")
    assert layout.num_bits == 23
    assert _same(wire.unpack(frame, layout), message)
    codes[-1] = 2
    with pytest.raises(wire.WireError, match="codes must be 1 bits, got 2"):
        wire.pack(message, layout)


def test_codes_without_width_are_zeros_and_cost_nothing():
    layout = Layout("any", ((0, 3), (2, 2), (0, 1)))
    codes = np.array([0, 0, 0, 3, 1, 0], np.uint8)
    message = Message(codes, np.zeros(0, np.float32), np.int32(4))
    frame = wire.pack(message, layout)
    assert layout.num_bits == 4 and len(frame) == wire.OVERHEAD_BYTES + 1
    assert _same(wire.unpack(frame, layout), message)
    codes[0] = 2
    with pytest.raises(wire.WireError, match="codes must be 0 bits, got 2"):
        wire.pack(message, layout)


def test_bits_stand_least_significant_first():
    layout = Layout.of("any", 3, 3, 0)
    message = Message(
        np.array([1, 2, 7], np.uint8), np.zeros(0, np.float32), np.int32(9)
    )
    frame = wire.pack(message, layout)
    # The lower two bits of each, 1 + 2 * 4 + 3 * 16, then their upper bits 0, 0, 1.
    assert frame[22:24] == bytes([0b00_11_10_01, 0b1])


def test_a_short_option_beside_one_of_2_34_bits_is_framed_in_their_unit():
    """Eight codes of a byte are 64 bits, 8 units of 8: as the payload, 8 bytes."""
    short, long = Layout.of("short", 8, 8), Layout.of("long", 2**30, 8, floats=True)
    either = Layout("either", ((32, 8),), options=(short, long))
    assert either.unit == 8 and short.num_bits == 64
    message = Message(
        np.arange(8, dtype=np.uint32), np.zeros(0, np.float32), np.int32(8)
    )
    frame = wire.pack(message, either)
    assert len(frame) == wire.OVERHEAD_BYTES + 8
    assert _same(wire.unpack(frame, either), message)


@pytest.mark.parametrize("unused", [1 << 1, 1 << 7])
def test_padding_that_is_not_zero_is_refused(unused):
    layout = Layout.of("any", 3, 3, 0)
    message = Message(
        np.array([1, 2, 7], np.uint8), np.zeros(0, np.float32), np.int32(9)
    )
    body = bytearray(wire.pack(message, layout)[:-4])
    body[-1] |= unused
    frame = bytes(body) + struct.pack("<I", zlib.crc32(body))
    with pytest.raises(wire.WireError, match="padding must be zeros"):
        wire.unpack(frame, layout)


def test_ten_thousand_damaged_frames_are_refused_or_whole(originals):
    frames = [
        (wire.pack(message, layout), layout)
        for *messages, layout in originals.values()
        for message in messages
    ]
    rng = np.random.default_rng(0)
    tried = 0
    while tried < 10_000:
        frame, layout = frames[rng.integers(len(frames))]
        for damaged in _damage(rng, frame):
            tried += 1
            _refused_or_whole(damaged, frame, layout)


def _damage(rng, frame):
    """Truncated, bit-flipped, extended, and random bytes."""
    yield frame[: rng.integers(len(frame) + 1)]
    flipped = bytearray(frame)
    for _ in range(rng.integers(1, 4)):
        flipped[rng.integers(len(frame))] ^= 1 << rng.integers(8)
    yield bytes(flipped)
    yield frame + rng.bytes(rng.integers(5))
    yield rng.bytes(rng.integers(2 * len(frame)))


def _refused_or_whole(damaged, frame, layout):
    try:
        message = wire.unpack(damaged, layout)
    except wire.WireError:
        assert damaged != frame
    else:
        assert wire.pack(message, layout) == damaged == frame


@pytest.mark.repro
@hypothesis.settings(max_examples=10_000, deadline=None, database=None)
@hypothesis.given(data=st.data())
def test_whatever_hypothesis_thinks_of_is_refused_or_whole(data):
    """Frames that are cut, joined to others, changed anywhere, or not frames at all."""
    layout = Layout("any", ((3, 5), (0, 2), (17, 1)), 1)
    codes = [7, 0, 1, 2, 3, 0, 0, 2**17 - 1]
    message = Message(np.uint32(codes), np.float32([0.5]), np.int32(layout.num_bits))
    frame = wire.pack(message, layout)
    damaged = bytearray(frame)
    for place, byte in data.draw(
        st.dictionaries(st.integers(0, len(frame) - 1), st.integers(0, 255))
    ).items():
        damaged[place] = byte
    start, end = data.draw(st.tuples(*[st.integers(0, len(frame))] * 2))
    damaged = data.draw(
        st.sampled_from([bytes(damaged), frame[start:end], frame[:end] + frame[start:]])
        | st.binary(max_size=64)
    )
    _refused_or_whole(damaged, frame, layout)


@hypothesis.settings(max_examples=500, deadline=None, derandomize=True)
@hypothesis.given(data=st.data())
def test_any_header_with_a_right_check_is_refused_or_canonical(data):
    layout = Layout.of("any", 3, 5, 1)
    fields = (
        data.draw(st.sampled_from([wire.MAGIC, b"FLQX"])),
        data.draw(st.sampled_from([wire.VERSION - 1, wire.VERSION])),
        data.draw(st.sampled_from([3, 4])),
        data.draw(st.sampled_from([1, 2])),
        data.draw(st.sampled_from([zlib.crc32(b"any"), 0])),
        data.draw(st.sampled_from([5, 2**32 - 1])),
        data.draw(st.sampled_from([0, 47, 48, 2**32 - 1])),
    )
    body = struct.pack("<4sBBIIII", *fields) + data.draw(st.binary(max_size=8))
    frame = body + struct.pack("<I", zlib.crc32(body))
    try:
        message = wire.unpack(frame, layout)
    except wire.WireError:
        return
    assert wire.pack(message, layout) == frame


@pytest.mark.parametrize(
    "codes, sides, bits, match",
    [
        (np.array([8, 0], np.uint8), [1.0], 38, "codes must be 3 bits, got 4"),
        (np.array([1], np.uint8), [1.0], 38, r"codes must be 2, got \(1,\)"),
        (np.array([1, 0], np.int32), [1.0], 38, "codes must be uint8, got int32"),
        (np.array([1, 0], np.uint8), [], 38, r"side must be 1, got \(0,\)"),
        (np.array([1, 0], np.uint8), [1.0], 37, "num_bits must be 0 or 38, got 37"),
        (np.array([1, 0], np.uint8), [0.0], 0, "silent message must be all zeros"),
        (np.array([0, 0], np.uint8), [-0.0], 0, "silent message must be all zeros"),
    ],
)
def test_a_message_that_is_none_is_refused(codes, sides, bits, match):
    message = Message(codes, np.array(sides, np.float32), np.int32(bits))
    with pytest.raises(wire.WireError, match=match):
        wire.pack(message, Layout.of("any", 3, 2, 1))


def test_another_scheme_is_refused(originals):
    message, _, layout = originals["uniform3"]
    frame = wire.pack(message, layout)
    with pytest.raises(wire.WireError, match="header must be"):
        wire.unpack(frame, layout._replace(scheme="other"))
